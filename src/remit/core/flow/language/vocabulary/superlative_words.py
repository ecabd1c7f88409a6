# SPDX-License-Identifier: Apache-2.0
"""The words of superlatives in English, German, French and Spanish, with the measure that each implies.

A measure is a key of `core.flow.language.superlatives`; it is empty where the words after the superlative
name it. Plural forms are left out where they differ: they select no single record.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Mapping

from remit.core.flow.language.word_forms import some
from remit.core.flow.values.normal_text import folded


def _written(forms: Mapping[str, str]) -> dict[str, str]:
    """Return the measure of each form, also without accents, as people type it."""
    out: dict[str, str] = {}
    for measure, words in forms.items():
        for word in words.split():
            for one in (folded(word), _plain(folded(word))):
                out.setdefault(one, measure)
    return out


def _plain(word: str) -> str:
    return "".join(one for one in unicodedata.normalize("NFD", word) if not unicodedata.combining(one))


def _inflected(stems: Iterable[str], endings: str) -> str:
    return " ".join(f"{one}{ending}" for one in stems for ending in endings.split())


_GERMAN = "e er es en em"
GREATEST = _written(
    {
        "": "most highest maximum",
        "size": "largest biggest greatest " + _inflected(("größt", "höchst"), _GERMAN),
        "weight": "heaviest " + _inflected(("schwerst",), _GERMAN),
        "duration": "longest " + _inflected(("längst",), "e er es"),
        "time": "latest newest recent last " + _inflected(("neuest", "neust", "jüngst"), _GERMAN),
        "rating": "best top",
        "price": "priciest " + _inflected(("teuerst",), _GERMAN),
    }
)
LEAST = _written(
    {
        "": "least lowest minimum fewest",
        "size": "smallest " + _inflected(("kleinst", "niedrigst", "geringst"), _GERMAN),
        "duration": "shortest " + _inflected(("kürzest",), _GERMAN),
        "time": "earliest oldest first " + _inflected(("ältest", "frühest"), _GERMAN),
        "price": "cheapest " + _inflected(("billigst", "günstigst"), _GERMAN),
        "rating": "worst",
    }
)
#: Words that select only after an article or possessive, and not before some nouns (`last week`).
AFTER_ARTICLE = _written({"last": "last letzte letzter letztes dernier dernière último última"}) | _written(
    {"first": "first erste erster erstes premier première primer primero primera"}
)
#: Adjectives after `plus` and `más`.
MORE = _written(
    {
        "size": "grand grande gros grosse élevé élevée grande alto alta",
        "weight": "lourd lourde pesado pesada",
        "duration": "long longue largo larga",
        "time": "récent récente nouveau nouvelle reciente nuevo nueva",
        "price": "cher chère caro cara",
    }
)
LESS = _written(
    {
        "size": "petit petite bas basse pequeño pequeña bajo baja",
        "duration": "court courte corto corta",
        "time": "ancien ancienne vieux vieille antiguo antigua viejo vieja",
        "price": "barato barata",
    }
)
MORE_WORDS = some("plus más mas")
NO_CHOICE = some(
    "night week month year time name day monday tuesday wednesday thursday friday saturday sunday weekend "
    "minute hour step of all thing "
    "nacht woche monat jahr mal zeit tag montag dienstag mittwoch donnerstag freitag samstag sonntag "
    "wochenende stunde schritt hilfe "
    "nuit semaine mois année an fois jour lundi mardi mercredi jeudi vendredi samedi dimanche heure étape "
    "noche semana mes año vez día dia lunes martes miércoles jueves viernes sábado domingo hora minuto paso"
)
"""Words after `last` and `first` where these select nothing from a list."""
CHOOSING = some(
    "the my our your his her its their "
    "die der das den dem mein meine unser unsere dein deine sein seine ihr ihre "
    "le la mon ma ton ta son sa notre votre leur du au "
    "el mi tu su nuestro nuestra del al"
)
"""Words before `last` and `first` where these select from a list."""
RANKS = _written(
    {
        "2": "second 2nd zweite zweiter zweites zweiten deuxième 2e segundo segunda",
        "3": "third 3rd dritte dritter drittes dritten troisième 3e tercero tercer tercera",
        "4": "fourth 4th vierte vierter viertes vierten quatrième cuarto cuarta",
        "5": "fifth 5th fünfte fünfter fünftes fünften cinquième quinto quinta",
        "6": "sixth 6th",
        "7": "seventh 7th",
        "8": "eighth 8th",
        "9": "ninth 9th",
        "10": "tenth 10th",
    }
)
"""Places in the order that a superlative gives (`the second largest`)."""
RANK_PREFIXES = {"zweit": 2, "dritt": 3, "viert": 4}
"""The same as the beginning of a German word (`zweitgrößte`)."""
