import pytest

from vctlib.trial.html import report_page

REPORT = "# A <title>\n\n## Verdict\n\n- **fail**\n\n## Why\n\n| a | b |\n| --- | --- |\n| <script>x</script> | 2 |\n"
SVG = '<?xml version="1.0"?>\n<!DOCTYPE svg>\n<svg id="own"></svg>'


def test_figures_close_their_sections_and_nothing_of_others_runs():
    page = report_page(REPORT, {"Verdict": (SVG, "what & why")}, "made by <us>")
    assert page.index("<strong>fail</strong>") < page.index('<svg id="own">') < page.index("what &amp; why")
    assert page.index("what &amp; why") < page.index("<h2>Why</h2>")
    assert "<?xml" not in page and "<script" not in page and "&lt;script&gt;" in page
    assert "<title>A &lt;title&gt;</title>" in page and "made by &lt;us&gt;" in page
    assert "<td>2</td>" in page and "http" not in page  # nothing is fetched


def test_a_figure_without_its_section_is_refused():
    with pytest.raises(KeyError, match="Elsewhere"):
        report_page(REPORT, {"Elsewhere": (SVG, "")})
