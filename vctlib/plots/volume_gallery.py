"""People whom a page of the book lets its reader turn round: the files that the page loads, each when it is asked for.

gallery.json   who there is, the structures with their colours, the windows
<id>.js        CT and label map of one person, which a script tag loads where the page lies on a disk, too
<id>.png       two slices and a radiograph of the person: what stands there without WebGL, and until it is asked for
<id>-small.png the radiograph alone, to choose by
"""

import json
from collections.abc import Sequence
from pathlib import Path

import nibabel as nib
import numpy as np
import pandas as pd
from matplotlib.image import imsave

from vctlib.anatomy import AIR_HU, DISPLAY_WINDOW, LabelTable
from vctlib.cohort import Cohort, check_subject_id
from vctlib.errors import InputError
from vctlib.files import write_text, written_whole
from vctlib.metrics.slices import AXIS, take_slice
from vctlib.plots.anatomy_pages import radiograph
from vctlib.plots.bodies import body_centre, common_box, paint, window_name
from vctlib.plots.style import label_colours
from vctlib.plots.volume_page import packed_nifti, stored_hu
from vctlib.sources.resample import resample_to_spacing, spacing_of

MOST_BYTES = 1_500_000  # of one person's script: a page asks for it over a slow line, too
FINEST_MM = 8.0  # finer voxels are averaged to these: each halving of a voxel's sides makes eight times the bytes
LIST = "gallery.json"
WINDOWS = ("body", "soft_tissue", "bone", "lung")
_LABELS_ALPHA = 0.4  # in the picture


def volume_script(
    name: str, hu: np.ndarray, labels: np.ndarray, affine: np.ndarray, most_bytes: int = MOST_BYTES
) -> str:
    """JavaScript that hands the page one person: HU and label map (x, y, z; one shape) in NIfTI, `affine` in mm.

    Raises InputError where it would be longer than `most_bytes`.
    """
    volumes = {"ct": packed_nifti(stored_hu(hu), affine), "labels": packed_nifti(labels.astype(np.uint8), affine)}
    script = f"(globalThis.vctVolumes ??= {{}})[{json.dumps(check_subject_id(name))}] = {json.dumps(volumes)};\n"
    if len(script) > most_bytes:
        raise InputError(
            f"{name}: its volume takes {len(script) / 1e6:.2f} MB of a page, more than {most_bytes / 1e6:g}; "
            "average it to coarser voxels, or cut the air about the body away"
        )
    return script


def shadow_picture(hu: np.ndarray, spacing_mm: Sequence[float]) -> np.ndarray:
    """The radiograph (height, width) of a body in [0, 1]: white is the 99.5th percentile of what lies behind it."""
    behind = radiograph(hu, spacing_mm)
    inside = behind[behind > behind.max() / 50]
    return np.clip(behind / (np.percentile(inside, 99.5) if inside.size else 1.0), 0, 1)


def still_picture(hu: np.ndarray, labels: np.ndarray, table: LabelTable, shadow: np.ndarray) -> np.ndarray:
    """Coronal and sagittal slice through the middle of a body (x, y, z; HU), labels over them, and its `shadow` beside.

    Returns RGB (height, width, 3) in [0, 1]; the window is `body`.
    """
    centre, parts = body_centre(hu), []
    for plane in ("coronal", "sagittal"):
        cut, own = (take_slice(volume, plane, centre[AXIS[plane]]) for volume in (hu, labels))
        parts.append(paint(cut, own, table, DISPLAY_WINDOW["body"], _LABELS_ALPHA))
    return np.concatenate([*parts, np.repeat(shadow[..., None], 3, axis=-1)], axis=1)


def save_volumes(folder: Path, people: pd.DataFrame, cohort: Cohort, most_bytes: int = MOST_BYTES) -> list[Path]:
    """Write the files of all `people` into `folder`, and nobody else's; returns their paths, the list last.

    people: `sex`, `age_years`, `build`, `height_cm`, `weight_kg` and `flag` by id. The first body of `cohort` whose
    `reference_id` is that id is shown. All are cut to one box, so that one scale holds for all, on cubic voxels of
    `FINEST_MM`, or of the cohort's own size where that is coarser. Raises InputError where a script would exceed
    `most_bytes`, or somebody has no body or no label map; nothing has been written then.
    """
    drawn = cohort.table.reset_index().drop_duplicates("reference_id").set_index("reference_id")["subject_id"]
    if absent := [person for person in people.index if person not in drawn.index]:
        raise InputError(f"{cohort.path}: has no body of {absent[0]}; draw one before it is shown")
    bodies = {person: _on_cubes(cohort, drawn[person]) for person in people.index}
    box = common_box([hu for hu, _, _ in bodies.values()])
    corner = nib.affines.from_matvec(np.eye(3), [side.start for side in box])
    bodies = {person: (hu[box], labels[box], affine @ corner) for person, (hu, labels, affine) in bodies.items()}
    scripts = {person: volume_script(person, *body, most_bytes) for person, body in bodies.items()}
    spacing_mm, shown, written = spacing_of(next(iter(bodies.values()))[2]), [], []
    for person, (hu, labels, _) in bodies.items():
        files = {"script": f"{person}.js", "still": f"{person}.png", "small": f"{person}-small.png"}
        shadow = shadow_picture(hu, spacing_mm)
        write_text(folder / files["script"], scripts[person])
        _write_picture(folder / files["still"], still_picture(hu, labels, cohort.info.labels, shadow))
        _write_picture(folder / files["small"], shadow)
        shown.append(_described(person, people.loc[person]) | {"centre": list(body_centre(hu))} | files)
        written += [folder / name for name in files.values()]
    present = set().union(*(np.unique(labels).tolist() for _, labels, _ in bodies.values())) - {0}
    content = {"spacing_mm": float(spacing_mm[0]), "windows": [_window(name) for name in WINDOWS]}
    content |= {"structures": _structures(cohort.info.labels, sorted(present)), "people": shown}
    write_text(folder / LIST, json.dumps(content, indent=1) + "\n")
    for path in set(folder.iterdir()) - {*written, folder / LIST}:
        path.unlink()
    return [*written, folder / LIST]


def _described(person: str, row: pd.Series) -> dict:
    """What the list says of a person, and in words."""
    told = {name: str(row[name]) for name in ("sex", "build", "flag")}
    told |= {name: round(float(row[name]), 1) for name in ("age_years", "height_cm", "weight_kg")}
    title = "{sex}, {age_years:.0f} years, {build}, {height_cm:.0f} cm, {weight_kg:.0f} kg".format(**told)
    return {"id": person, "title": title + ", extrapolation" * (told["flag"] == "extrapolation")} | told


def _window(name: str) -> dict:
    window = DISPLAY_WINDOW[name]
    return {"name": name.replace("_", " "), "range": window_name(window), **window._asdict()}


def _structures(table: LabelTable, numbers: Sequence[int]) -> list[dict]:
    colours = label_colours(table)
    return [{"number": n, "name": table[n].replace("_", " "), "colour": colours[n]} for n in numbers]


def _on_cubes(cohort: Cohort, subject_id: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """CT, label map and affine of one body on cubic voxels that the page can afford."""
    (hu, affine), labels = cohort.ct(subject_id), cohort.labels(subject_id)
    side = max(FINEST_MM, *cohort.info.spacing_mm)
    if all(np.isclose(side, cohort.info.spacing_mm)):
        return hu, labels, affine
    coarse, new_affine = resample_to_spacing(hu, affine, [side] * 3, labels=False, fill=AIR_HU)
    return coarse, resample_to_spacing(labels, affine, [side] * 3, labels=True, fill=0)[0], new_affine


def _write_picture(path: Path, picture: np.ndarray) -> None:
    """Write values in [0, 1], grey (height, width) or RGB, as PNG; the same picture gives the same bytes."""
    with written_whole(path) as temporary:
        how = {"metadata": {"Software": None}, "pil_kwargs": {"optimize": True}}
        imsave(temporary, picture, format="png", cmap="gray", vmin=0, vmax=1, **how)
