# SPDX-License-Identifier: Apache-2.0
"""Words of German, French and Spanish by which people ask, join, report and negate, with their English words.

These are tables only; `core.flow.language.gloss` reads them. A verb is listed by its infinitive and its
imperatives. Forms that others than the asked person govern (`schreibt`, `envoyait`, `mandó`) are left out on
purpose, and so are nouns. `trag|ein` is a verb with a separable prefix at the end of its clause.
"""

from __future__ import annotations

import unicodedata

import msgspec

from remit.core.flow.language.word_forms import some
from remit.core.flow.values.normal_text import plain


class Tongue(msgspec.Struct, frozen=True):
    """A language: its frequent words, its verbs and other words with their English words.

    - `common`: words that show the language, and are no English words.
    - `verbs`: infinitives and imperatives, without accents.
    - `parted`: imperatives with a separable prefix: by imperative and prefix.
    - `words`: joints, pronouns, articles, negations, auxiliaries, reporting verbs.
    - `after`: words that negate the verb before them.
    - `wishes`: phrases that make the next infinitive a request.
    - `shown`: other words that show the language: its longer verbs and reporting words.
    - `nouns`: verbs that are nouns, too.
    - `clitics`: pronouns that can be attached to a verb.
    - `late`: whether an infinitive ends its clause.
    """

    common: frozenset[str]
    verbs: dict[str, str]
    parted: dict[tuple[str, str], str]
    words: dict[str, str]
    after: frozenset[str]
    wishes: frozenset[str]
    clitics: dict[str, str]
    shown: frozenset[str] = frozenset()
    nouns: frozenset[str] = frozenset()
    late: bool = False


#: Words of the tables that are English words, too.
ALSO_ENGLISH = some("please dice sans resume change compare merge invite reserve lies send")
SHORTEST_SHOWN = 4
"""Fewest letters of a verb or another known word that shows its language."""


def bare_of_accents(word: str) -> str:
    """Return a word without its accents."""
    if word.isascii():
        return word
    return "".join(one for one in unicodedata.normalize("NFD", word) if not unicodedata.combining(one))


def _verbs(table: str) -> tuple[dict[str, str], dict[tuple[str, str], str]]:
    whole: dict[str, str] = {}
    parted: dict[tuple[str, str], str] = {}
    for line in table.strip().splitlines():
        english, _, forms = line.strip().partition(": ")
        for form in map(bare_of_accents, map(plain, forms.split())):
            head, bar, prefix = form.partition("|")
            if bar:
                parted[head, prefix] = english
            else:
                whole.setdefault(form, english)
    return whole, parted


def _words(table: str) -> dict[str, str]:
    found = {"please": "please"}
    for line in table.strip().splitlines():
        english, _, forms = line.strip().partition(": ")
        found |= dict.fromkeys(plain(forms).split(), english)
    return found


_GERMAN_VERBS = """
add: füge|hinzu füg|hinzu hinzufügen ergänze ergänz ergänzen nimm|auf aufnehmen
answer: antworte antworten beantworte beantworten
approve: genehmige genehmigen
ask: frag frage fragen frag|nach nachfragen
assign: weise|zu weis|zu zuweisen
book: buche buchen
buy: kauf kaufe kaufen
cancel: storniere stornieren sag|ab sage|ab absagen brich|ab abbrechen
change: ändere ändern
check: prüf prüfe prüfen schau schaue schauen schau|nach nachschauen sieh|nach nachsehen
close: schließ schließe schließen
comment: kommentiere kommentieren
compare: vergleich vergleiche vergleichen
confirm: bestätige bestätigen
correct: korrigiere korrigieren berichtige berichtigen
create: erstell erstelle erstellen leg|an lege|an anlegen
delete: lösch lösche löschen
download: lad|herunter lade|herunter herunterladen
enter: trag|ein trage|ein eintragen
find: finde finden such suche suchen
forward: leite|weiter leit|weiter weiterleiten
invite: lad|ein lade|ein einladen
list: liste|auf auflisten
merge: merge mergen führ|zusammen zusammenführen
move: verschieb verschiebe verschieben
open: öffne öffnen
order: bestell bestelle bestellen bestell|nach nachbestellen
pay: bezahl bezahle bezahlen zahl zahle zahlen begleiche begleichen
publish: veröffentliche veröffentlichen
read: lies lesen
remind: erinnere erinnern
remove: entferne entfernen
rename: benenn|um benenne|um umbenennen
reserve: reservier reserviere reservieren
return: schick|zurück schicke|zurück zurückschicken send|zurück sende|zurück zurücksenden
save: speicher speichere speichern
send: schick schicke schicken send sende senden verschick verschicke verschicken versende versenden
set: setz setze setzen stell|ein stelle|ein einstellen
share: teil teile teilen gib|frei freigeben
summarise: fass|zusammen fasse|zusammen zusammenfassen
tell: sag sage sagen erzähl erzähle erzählen teil|mit teile|mit mitteilen gib|bescheid
inform: informiere informieren benachrichtige benachrichtigen
transfer: überweis überweise überweisen
translate: übersetz übersetze übersetzen
unsubscribe: melde|ab meld|ab abmelden
update: aktualisiere aktualisieren
upload: lad|hoch lade|hoch hochladen
write: schreib schreibe schreiben
"""
_GERMAN_WORDS = """
and: und sowie
or: oder
but: aber sondern doch
then: dann danach anschließend
please: bitte
i: ich
we: wir
he: er
she: sie
me: mir mich
us: uns
him: ihm ihn
her: ihr
them: ihnen
it: es
you: du
that: dass
if: wenn falls sofern
whether: ob
because: weil
before: bevor
after: nachdem
how: wie
why: warum wieso
who: wer wen wem
the: der die das den dem des
a: ein eine einen einem einer eines
my: mein meine meinen meinem meiner meines
our: unser unsere unseren unserem unserer
your: dein deine deinen deinem deiner
his: sein seine seinen seinem seiner
their: ihre ihren ihrem ihrer
all: alle alles allen
every: jede jeden jedem jeder
not: nicht nichts
no: kein keine keinen keinem keiner
never: nie niemals keinesfalls
neither: weder
without: ohne
instead: statt anstatt
except: außer
is: ist
are: sind
was: war wurde
were: waren wurden
has: hat
had: hatte
will: wird werden
wants: will wollte
would: möchte würde
can: kann
could: könnte konnte
must: muss müssen
should: soll sollte sollen
says: sagt meint steht lautet findet antwortet fordert schlägt besteht insistiert
according: laut
said: sagte meinte gesagt
writes: schreibt
wrote: schrieb geschrieben
asks: fragt bittet verlangt
asked: fragte bat verlangte gebeten gefragt
to: an zu zum zur
for: für
with: mit
from: von vom
about: über wegen bezüglich nach
"""
_FRENCH_VERBS = """
add: ajoute ajoutez ajouter
answer: réponds répondez répondre
approve: approuve approuvez approuver
ask: demande demandez demander
assign: assigne assignez assigner attribue attribuez attribuer
book: réserve réservez réserver
buy: achète achetez acheter
cancel: annule annulez annuler
change: change changez changer modifie modifiez modifier
check: vérifie vérifiez vérifier
close: ferme fermez fermer clos clôture clôturer
comment: commente commentez commenter
compare: compare comparez comparer
confirm: confirme confirmez confirmer
correct: corrige corrigez corriger
create: crée créez créer
delete: supprime supprimez supprimer efface effacez effacer
download: télécharge téléchargez télécharger
enter: inscris inscrivez inscrire saisis saisissez saisir
find: trouve trouvez trouver cherche cherchez chercher
forward: transfère transférez transférer transmets transmettez transmettre
invite: invite invitez inviter
look: regarde regardez regarder
make: fais faites faire
merge: fusionne fusionnez fusionner
move: déplace déplacez déplacer
open: ouvre ouvrez ouvrir
order: commande commandez commander
pay: paie paye payez payer règle réglez régler
publish: publie publiez publier
read: lis lisez lire
remind: rappelle rappelez rappeler
remove: retire retirez retirer enlève enlevez enlever
rename: renomme renommez renommer
return: renvoie renvoyez renvoyer retourne retournez retourner
save: enregistre enregistrez enregistrer
send: envoie envoyez envoyer
set: mets mettez mettre
share: partage partagez partager
summarise: résume résumez résumer résume-moi
tell: dis dites dire
inform: informe informez informer préviens prévenez prévenir
transfer: vire virez virer
translate: traduis traduisez traduire
unsubscribe: désabonne désabonnez désabonner désinscris désinscrire
update: actualise actualisez actualiser
write: écris écrivez écrire
"""
_FRENCH_WORDS = """
and: et
or: ou
but: mais
then: puis ensuite
i: je j'
he: il
she: elle
we: nous
they: ils elles on
you: tu vous
me: moi me m'
him: lui
it: ça cela
that: que qu'
if: si s'il
when: quand lorsque
because: parce
before: avant
after: après
how: comment
why: pourquoi
who: qui
the: le la les l'
a: un une
of: de du des d'
my: mon ma mes
your: ton ta tes votre vos
our: notre nos
his: son sa ses
their: leur leurs
this: ce cet cette ces
all: tous toutes tout toute
every: chaque
not: ne n' non
never: jamais
neither: ni
without: sans
about: concernant
except: sauf excepté
is: est
are: sont
has: a
have: ont
was: était
wants: veut
would: voudrait
can: peut
could: pourrait
must: doit
should: devrait
says: dit insiste propose répond affirme exige réclame
according: selon
writes: écrit
asks: demande
asked: demandait demandé
to: à au aux chez
for: pour
with: avec
in: dans
on: sur
"""
_SPANISH_VERBS = """
add: añade añada añadid añadir agrega agregue agregar
answer: contesta conteste contestad contestar responde responda responded responder
approve: aprueba apruebe aprobar
ask: pregunta pregunte preguntar pide pida pedir
assign: asigna asigne asignar
book: reserva reserve reservar
buy: compra compre comprar
cancel: cancela cancele cancelar anula anule anular
change: cambia cambie cambiar modifica modifique modificar
check: comprueba compruebe comprobar revisa revise revisar
close: cierra cierre cerrar
comment: comenta comente comentar
compare: compara compare comparar
confirm: confirma confirme confirmar
correct: corrige corrija corregir
create: crea cree crear
delete: borra borre borrar elimina elimine eliminar
download: descarga descargue descargar
find: busca busque buscar encuentra encontrar
forward: reenvía reenvíe reenviar
invite: invita invite invitar
look: mira mire mirar
make: haz haga hacer
merge: fusiona fusione fusionar
move: mueve mueva mover
open: abre abra abrir
order: encarga encargue encargar
pay: paga pague pagar
publish: publica publique publicar
read: lee lea leer
remind: recuerda recuerde recordar
remove: quita quite quitar
rename: renombra renombre renombrar
return: devuelve devuelva devolver
save: guarda guarde guardar
send: envía envíe enviad enviar manda mande mandad mandar
set: pon ponga poner
share: comparte comparta compartir
summarise: resume resuma resumir
tell: di diga decir
inform: avisa avise avisar informa informe informar
transfer: transfiere transfiera transferir
translate: traduce traduzca traducir
update: actualiza actualice actualizar
upload: sube suba subir
write: escribe escriba escribid escribir
"""
_SPANISH_WORDS = """
and: y e
or: o u
but: pero sino
then: luego después
i: yo
he: él
she: ella
we: nosotros
they: ellos ellas
you: tú usted
me: me mí
him: le
them: les
it: lo
that: que
if: si
when: cuando
because: porque
before: antes
how: cómo
why: porqué
who: quien quién
the: el la los las
a: un una
of: de del
my: mi mis
your: tu tus
our: nuestro nuestra nuestros nuestras
his: su sus
this: este esta esto
all: todos todas todo toda
every: cada
not: no
never: nunca jamás
neither: ni
without: sin
except: excepto salvo
is: es está
are: son están
has: ha
have: han
was: era estaba
wants: quiere
would: quería
can: puede
could: podría
must: debe
says: dice insiste propone afirma exige reza
according: según
said: dijo dicho
writes: escribe
wrote: escribió escrito
asks: pide
asked: pidió pedido
to: a al
for: para
about: sobre por
with: con
in: en
from: desde
"""


def _tongue(
    common: str,
    verbs: str,
    words: str,
    *,
    after: str = "",
    wishes: tuple[str, ...] = (),
    clitics: str = "",
    nouns: str = "",
    late: bool = False,
) -> Tongue:
    whole, parted = _verbs(verbs)
    attached = dict(one.split("=") for one in clitics.split())
    known = frozenset(map(plain, wishes))
    shows = frozenset(one for one in (*whole, *_words(words)) if len(one) >= SHORTEST_SHOWN)
    return Tongue(
        some(plain(common)),
        whole,
        parted,
        _words(words),
        some(plain(after)),
        known,
        attached,
        shows - some(plain(common)) - ALSO_ENGLISH,
        some(plain(nouns)),
        late,
    )


GERMAN = _tongue(
    "der das dem ich nicht und ist mit mir mich ein eine einen einem einer für auf auch bitte zum zur wie "
    "wenn dass von vom ihm ihn ihnen mein meine meinen kann wir uns noch nach bei beim oder aber soll wird "
    "als herrn frau ihr du kein keine dann es sie den diese dieser dieses",
    _GERMAN_VERBS,
    _GERMAN_WORDS,
    after="nicht nichts kein keine keinen keinem keiner nie niemals keinesfalls weder niemand niemandem "
    "niemanden",
    nouns="frage kauf teil teile suche zahl",
    wishes=(
        "kannst du",
        "könntest du",
        "können sie",
        "könnten sie",
        "würdest du",
        "würden sie",
    ),
    late=True,
)
FRENCH = _tongue(
    "le la les des du une un et que est pas ne pour avec dans sur aux ce cette lui leur mon ma mes je tu "
    "vous nous merci à au de en chez ensuite puis sont qui te s'il plaît",
    _FRENCH_VERBS,
    _FRENCH_WORDS,
    after="pas jamais rien aucun aucune",
    wishes=(
        "s'il te plaît",
        "s'il vous plaît",
        "peux-tu",
        "pouvez-vous",
        "pourrais-tu",
        "pourriez-vous",
        "veuillez",
        "tu peux",
        "vous pouvez",
        "merci de",
    ),
    clitics="le=it la=it les=them lui=him leur=them moi=me nous=us y=there en=it toi=you",
    nouns="demande commande réserve règle change",
)
SPANISH = _tongue(
    "el la los las una un y que de del al en con por para su sus mi es está lo le les se si como más favor "
    "quien unos unas ellos",
    _SPANISH_VERBS,
    _SPANISH_WORDS,
    wishes=("por favor", "puedes", "podrías", "podría usted", "puede usted", "¿puedes", "¿podrías"),
    clitics="me=me te=you se=him nos=us le=him les=them lo=it la=it los=them las=them",
    nouns="pregunta informe compra reserva",
)
TONGUES = (GERMAN, FRENCH, SPANISH)
ENGLISH = some("the of and is are my for with it that this you please what if from your our their me i to")
