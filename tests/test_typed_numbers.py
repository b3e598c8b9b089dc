"""No result of ours is typed into a page: it is glued from a result file, or stands in a table or drawing.

The rule. In the chapters, captions and cells included, every decimal, every percentage and every number of percentage
points that is typed stands in `ORIGINS` with where it comes from: the paper, another source, a definition, a setting.
A number that has no such origin is ours, and has to be glued. Not looked at are code, displayed formulas, the numbers
of sections, and cells of a table that begin with `paper:`, which name their origin themselves.
"""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

BOOK = Path(__file__).parents[1] / "book"
NO_CHAPTERS = ("How it is made", "Executed notebooks", "References")  # parts of the book that tell no results
EVERY_PAGE = {
    "95 %": "level of every interval",
    "2 pp": "limit of the trial: acceptable (stevens2016, as in the paper)",
    "3 pp": "limit of the trial: failure (as in the paper)",
    "1 pp": "margin of the equivalence test",
}
ORIGINS = {
    "index": {"5 %": "level of the equivalence test"},
    "autoencoders": {
        "33.5": "decision 11: PSNR of the stack after 43 minutes of training",
        "1.5": "profile: weight of dense voxels in the multi-window loss, and of soft ones when companded",
    },
    "latent_diffusion": {"1.9": "profile: noise_location", "0.2": "profile: share of dropped attributes"},
    "segmenter": {"0.8": "profile: blur"},
    "post_processor": {
        "0.6": "profile: noise_shares",
        "10.26": "paper, Table A4",
        "5.97": "paper, Table A4",
    },
    "population": {
        "0.8": "lower limit of an agreeing ratio (vctlib.metrics.published.AGREES)",
        "1.25": "upper limit of an agreeing ratio",
        "1.05": "icru44: density of soft tissue",
    },
    "two_truths": {
        "30.8": "hubbell1995, icru44: mass-normalised HU of adipose tissue",
        "6.5": "hubbell1995, icru44: mass-normalised HU of muscle",
        "0.95": "paper, appendix B: R² of weight",
    },
    "reconstruction": {"30.97": "paper, Table A2", "31.06": "paper, Table A2"},
    "evaluation": {
        "0.80": "mean of |Z| for a standard Gaussian, the root of 2/π",
        "1.5": "whiskers of a box plot, in interquartile ranges",
        "99 %": "vctlib.metrics.impossible.PASS_RATE",
        "0.727": "paper, Table 1 of organs: Dice",
        "0.911": "paper, Table 1 of organs: volume",
        "0.956": "paper, Table 1 of organs: mean over the centroid's coordinates",
        "1.048": "paper, Table 1 of organs: SD of Dice, as printed",
        "5.97": "paper, Table A4",
        "0.6": "paper, section 1.4: Z",
        "0.7": "paper, section 1.4: Z",
        "98 %": "paper: sex as a person judged it",
    },
    "models_on_trial": {
        "0.872": "paper: correlation of volume and body fat",
        "0.696": "paper: correlation of volume and muscle",
        "1.20": "paper, Table 1: MAE of body fat, ID",
        "1.43": "paper, Table 1: MAE of muscle, ID",
        "5.54 pp": "paper, Table 1: MAE of muscle, OOD",
        "3.66 pp": "paper, Table 1: MAE of body fat, OOD",
    },
    "lesions": {
        "0.9": "notebooks/trials/liver_lesions_by_build.yaml: acceptable",
        "0.8": "notebooks/trials/liver_lesions_by_build.yaml: failure",
    },
    "paper_and_ours": {"0.80": "mean of |Z| for a standard Gaussian, the root of 2/π"},
    "trial": {
        "0.3": "paper: p above which it speaks of likeness",
        "4.34": "paper, Table 1: MAE of muscle, OOD, synthetic",
        "5.54": "paper, Table 1: MAE of muscle, OOD, real",
        "3.44": "paper, Table 1: Z of the two",
    },
    "trust": {"5 %": "level of the equivalence test"},
}

_LEFT_OUT = (
    r"(?s)\$\$.*?\$\$",  # displayed formulas
    r"(?m)^:[\w-]+:.*$",  # options of a directive
    r"\{[\w:-]+\}`[^`]*`",  # roles: glued numbers, citations, references
    r"`[^`]*`",
    r"\]\([^)]*\)",  # where links lead
    r"(?i)\bsections? \d[\d.]*",
    r"(?m)^\s*(?:\* )?- paper: .*$",  # a cell, on one line
)
_NUMBER = re.compile(r"(?<![\w.])(\d+(?:\.\d+)?)\s*(%|pp\b|percentage points\b)|(?<![\w.])(\d+\.\d+)")


def without_code(page: str) -> str:
    """The page without fenced blocks; the content of a directive that is fenced in this way is kept."""
    kept, open_fences = [], []
    for line in page.splitlines():
        fence = re.match(r"(`{3,})(.*)", line)
        if fence and open_fences and line.strip() == open_fences[-1][0]:
            open_fences.pop()
        elif fence:
            open_fences.append((fence[1], fence[2].startswith("{")))
        elif not open_fences or open_fences[-1][1]:
            kept.append(line)
    return "\n".join(kept)


def typed_numbers(page: str) -> Iterator[tuple[str, str]]:
    """(number with its unit, the passage around it) for all that the rule looks at in a page's text."""
    page = without_code(page)
    for pattern in _LEFT_OUT:
        page = re.sub(pattern, " … ", page)
    text = " ".join(page.split())
    for found in _NUMBER.finditer(text):
        number, unit, bare = found.groups()
        said = bare or f"{number} {'%' if unit == '%' else 'pp'}"
        yield said, text[max(0, found.start() - 60) : found.end() + 30]


def chapters() -> list[str]:
    """Pages that tell results: the first one, and all parts of the contents but those that tell none."""
    contents = yaml.safe_load((BOOK / "_toc.yml").read_text())
    parts = [part for part in contents["parts"] if part["caption"] not in NO_CHAPTERS]
    return [contents["root"], *(chapter["file"] for part in parts for chapter in part["chapters"])]


@pytest.mark.parametrize("name", chapters())
def test_no_result_is_typed(name):
    known = EVERY_PAGE | ORIGINS.get(name, {})
    found = [
        f"{number}: … {where} …"
        for number, where in typed_numbers((BOOK / f"{name}.md").read_text())
        if number not in known
    ]
    assert not found, (
        f"book/{name}.md: typed numbers without an origin. A result of ours is glued from its notebook "
        "({glue:text}`executed/…`); for any other number, write its origin into ORIGINS:\n" + "\n".join(found)
    )


@pytest.mark.parametrize("name", ORIGINS)
def test_no_origin_outlives_its_number(name):
    typed = {number for number, _ in typed_numbers((BOOK / f"{name}.md").read_text())}
    assert not set(ORIGINS[name]) - typed, f"book/{name}.md no longer has these; take them out of ORIGINS"


def test_rule_sees_typed_numbers_and_nothing_else():
    page = """# Chapter 1

The error was 0.74 kg in 93.1 % (n = 75), 12% and **3 pp** less than −6.5, or $r = 0.91$; section 4.1.3 and
{cite:p}`a2000` say {glue:text}`executed/laptop/12_x.ipynb::a:.2f` pp, `p = 0.5` [here](x_0.1.md).

$$
x = 0.5
$$

- paper: 0.44
- 0.45, paper: 0.46

:::{csv-table} Share of 80 %.
:file: results/laptop/tables/t_1.5.csv
:width: 80%
:::

```bash
sleep 0.1
```

```{admonition} Note
A share of 4.5 %.
```
"""
    found = [number for number, _ in typed_numbers(page)]
    assert found == ["0.74", "93.1 %", "12 %", "3 pp", "6.5", "0.91", "0.45", "0.46", "80 %", "4.5 %"]


def test_chapters_are_those_with_results():
    assert {"index", "trial", "gallery", "real_ct", "population"} <= set(chapters())
    assert not {"running", "references", "decisions/index"} & set(chapters())
