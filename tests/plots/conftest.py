import matplotlib
import matplotlib.pyplot as plt
import pytest

from vctlib import plots


@pytest.fixture(autouse=True)
def style():
    """The project's style for one test, and no figure left open."""
    with matplotlib.rc_context():
        plots.set_style()
        yield
    plt.close("all")
