"""`vct release`: put trained weights into models/<profile> and name them in data_manifest.yaml."""

import json
import re
import shutil
from pathlib import Path

from vctlib.config import load_profile
from vctlib.errors import InputError
from vctlib.files import sha256, write_text
from vctlib.manifest import REPOSITORY

RELEASED = ("image_autoencoder", "segmentation_autoencoder", "latent_diffusion", "post_processor", "segmenter")
_ENTRY = re.compile(r"^  - name: ", re.MULTILINE)


def release_weights(profile: str, models: str | None, root: Path = REPOSITORY) -> list[Path]:
    """Copy the weights of every component from `models` (by default runs/<profile>/models) and rewrite their entries.

    Slice regressors are not released: they are the models on trial, which every run trains itself. Raises InputError
    where a component is missing or its file holds another profile.
    """
    name = load_profile(profile).name
    source = Path(models) if models else root / "runs" / name / "models"
    target = root / "models" / name
    files = {component: source / f"{component}.safetensors" for component in RELEASED}
    if missing := [path.name for path in files.values() if not path.is_file()]:
        raise InputError(f"{source}: no {', '.join(missing)}; train them first: vct train --profile {name}")
    details = {component: _details(path, name) for component, path in files.items()}
    target.mkdir(parents=True, exist_ok=True)
    for component, path in files.items():
        shutil.copyfile(path, target / f"{component}.safetensors")
    manifest = root / "data_manifest.yaml"
    kept = _without(manifest.read_text(), f"repo:models/{name}/")
    entries = [_entry(root, name, component, details[component]) for component in RELEASED]
    write_text(manifest, kept.rstrip("\n") + "\n\n" + "\n\n".join(entries) + "\n")
    return [target / f"{component}.safetensors" for component in RELEASED]


def _details(path: Path, profile: str) -> dict:
    """How a component was trained, from its file's metadata."""
    from vctlib.networks.weights import load_weights  # torch, only here

    metadata = load_weights(path)[1]
    if metadata["profile"]["name"] != profile:
        raise InputError(f"{path}: trained with the profile {metadata['profile']['name']!r}, not {profile!r}")
    return metadata["training"]


def _without(text: str, source: str) -> str:
    """The manifest's text without the entries of that source; comments and order stay as they are."""
    starts = [match.start() for match in _ENTRY.finditer(text)]
    pieces = [text[a:b] for a, b in zip(starts, [*starts[1:], len(text)], strict=True)]
    return text[: starts[0]] + "".join(piece for piece in pieces if f"source: {source}" not in piece)


def _entry(root: Path, profile: str, component: str, training: dict) -> str:
    path = root / "models" / profile / f"{component}.safetensors"
    what = (
        f"Released weights of the {profile} profile: {component.replace('_', ' ')}, trained on {training['people']} "
        f"people in {training['seconds'] / 60:.0f} minutes on {training['hardware']}, seed {training['seed']}"
    )
    return f"""  - name: {profile}_{component}
    what: {json.dumps(what)}
    source: repo:models/{profile}/{path.name}
    sha256: {sha256(path)}
    bytes: {path.stat().st_size}
    licence: Apache-2.0
    citation: >-
      The vctlib developers, CITATION.cff
    redistributable: true
    used_by: [notebooks]
    fallback: >-
      train it again: make train PROFILE={profile}"""
