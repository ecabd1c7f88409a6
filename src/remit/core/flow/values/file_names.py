# SPDX-License-Identifier: Apache-2.0
"""Names that look like host names but are usually file names (`notes.md`, `setup.sh`)."""

from __future__ import annotations

_FILE_ENDINGS = (
    "md txt pdf doc docx odt rtf xls xlsx ods csv tsv ppt pptx odp json yaml yml xml toml ini cfg conf env "
    "log html htm css js ts tsx jsx py ipynb rb go rs java kt c h cc cpp hpp cs php pl sh bash zsh ps bat "
    "sql db sqlite lock zip tar gz tgz bz xz rar png jpg jpeg gif svg webp bmp tif tiff mp mov avi mkv wav "
    "mp3 mp4 eml ics vcf pem key crt bak tmp rst tex so dll exe bin iso dmg apk jar war"
)
_OF_FILES = frozenset(_FILE_ENDINGS.split())


def is_file_name(name: str) -> bool:
    """Return whether a possible host name is more likely a file name."""
    return name.rpartition(".")[2] in _OF_FILES or name.count(".") == 0
