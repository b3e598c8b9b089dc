"""A volume to turn round inside a page of the book: NiiVue, with the CT and its labels in the page itself.

The page needs no server and makes no request but for NiiVue's own script, which lies in the book's static folder.
"""

import base64
import gzip
import html
import json
from string import Template

import nibabel as nib
import numpy as np

from vctlib.anatomy import DISPLAY_WINDOW, HU_RANGE

NIIVUE = "_static/niivue/niivue.umd.js"
STEP_HU = 4  # what the eye does not see in any of the windows, and what halves a volume
_WINDOWS = {"soft tissue": "soft_tissue", "bone": "bone", "lung": "lung", "body": "body"}

_PAGE = Template("""<div class="volume" id="$name">
<p class="volume-controls">
<label>Window <select data-what="window">$windows</select></label>
<label>View <select data-what="view"><option value="3">slices and rendering</option><option value="4">rendering</option>
<option value="1">coronal</option><option value="2">sagittal</option><option value="0">axial</option></select></label>
<label>Labels <input data-what="labels" type="range" min="0" max="1" step="0.05" value="0.3"></label>
</p>
<div style="position:relative;width:100%;height:560px"><canvas aria-label="$title"></canvas></div>
<p class="volume-failed" hidden>This browser draws no WebGL; the slices on this page show the same body.</p>
</div>
<script src="$script"></script>
<script>
(async () => {
  const root = document.getElementById("$name"), canvas = root.querySelector("canvas");
  try {
    const viewer = new niivue.Niivue({backColor: [0, 0, 0, 1], show3Dcrosshair: true, isColorbar: false,
      multiplanarShowRender: 1, multiplanarForceRender: true, dragAndDropEnabled: false,
      isRadiologicalConvention: true, sagittalNoseLeft: true});
    await viewer.attachToCanvas(canvas);
    const volumes = $volumes;
    for (const {base64, ...options} of volumes) {
      viewer.addVolume(await niivue.NVImage.loadFromBase64({base64, ...options}));
    }
    const control = (what) => root.querySelector(`[data-what=$${what}]`);
    const update = () => {
      const [low, high] = control("window").value.split(",").map(Number);
      viewer.volumes[0].cal_min = low; viewer.volumes[0].cal_max = high;
      if (viewer.volumes.length > 1) viewer.setOpacity(1, Number(control("labels").value));
      viewer.setSliceType(Number(control("view").value));
      viewer.updateGLVolume();
    };
    for (const what of ["window", "view", "labels"]) control(what).addEventListener("input", update);
    viewer.setScale(0.75);
    update();
    root.dataset.state = "ready";
  } catch (error) {
    canvas.parentElement.hidden = true;
    root.querySelector(".volume-failed").hidden = false;
    root.dataset.state = "failed";
  }
})();
</script>
""")


def stored_hu(hu: np.ndarray) -> np.ndarray:
    """HU as a page gets them: int16, in steps of `STEP_HU`."""
    steps = np.rint(np.asarray(hu, np.float32) / STEP_HU) * STEP_HU
    return np.clip(steps, *HU_RANGE).astype(np.int16)


def packed_nifti(array: np.ndarray, affine: np.ndarray) -> str:
    """A volume (x, y, z) as the base64 of a gzipped NIfTI in mm; the same voxels give the same text."""
    image = nib.Nifti1Image(array, affine)
    image.header.set_xyzt_units("mm")
    return base64.b64encode(gzip.compress(image.to_bytes(), 9, mtime=0)).decode()


def volume_html(name: str, title: str, hu: np.ndarray, affine: np.ndarray, labels: np.ndarray | None = None) -> str:
    """HTML that shows a body: `hu` (x, y, z) in Hounsfield units with its `affine`, `labels` of the same shape over it.

    `name` is the element's id, unique in its page. HU are stored in steps of `STEP_HU`.
    """
    soft = DISPLAY_WINDOW["body"]
    volumes = [_volume(stored_hu(hu), affine, "ct", colormap="gray", cal_min=soft.low, cal_max=soft.high)]
    if labels is not None:
        volumes.append(_volume(labels.astype(np.uint8), affine, "labels", colormap="random", opacity=0.3))
    order = sorted(_WINDOWS, key=lambda window: _WINDOWS[window] != "body")
    windows = "".join(
        f'<option value="{DISPLAY_WINDOW[key].low},{DISPLAY_WINDOW[key].high}">{window}</option>'
        for window, key in ((window, _WINDOWS[window]) for window in order)
    )
    values = {"name": html.escape(name), "title": html.escape(title), "windows": windows, "script": NIIVUE}
    return _PAGE.substitute(values, volumes=json.dumps(volumes))


def _volume(data: np.ndarray, affine: np.ndarray, name: str, **options) -> dict:
    return {"base64": packed_nifti(data, affine), "name": f"{name}.nii.gz", **options}
