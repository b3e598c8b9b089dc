"""Where a run of the graph stands: step k of n, and how long the rest will take as far as earlier runs tell."""

import json
import os
import time
from dataclasses import dataclass
from pathlib import Path

from vctlib.files import write_text

VARIABLE = "VCT_PLAN"  # path of the plan, for the notebooks that a run starts


@dataclass(frozen=True)
class Plan:
    """Steps of one run and the seconds that each took before (None: unknown); `.log` beside it tells what happened."""

    path: Path
    seconds: dict[str, float | None]
    owner: int  # process that runs the graph

    @classmethod
    def make(cls, folder: Path, steps: list[str], frozen: Path) -> "Plan":
        """A new plan, with times from the last run in this folder, else from the frozen results."""
        path = folder / ".plan.json"
        # the last plan too: a result file is gone from the moment its step starts until it ends
        earlier = json.loads(path.read_text())["known"] if path.is_file() else {}
        known = {
            step: wall_seconds(folder / "results" / f"{step}.json")
            or earlier.get(step)
            or wall_seconds(frozen / f"{step}.json")
            for step in steps
        }
        plan = cls(path, known, os.getpid())
        content = {"steps": plan.seconds, "owner": plan.owner, "known": earlier | known}
        write_text(path, json.dumps(content, indent=1) + "\n")
        plan.log.unlink(missing_ok=True)
        return plan

    @classmethod
    def read(cls, path: Path) -> "Plan":
        content = json.loads(path.read_text())
        return cls(path, content["steps"], content["owner"])

    def owner_lives(self) -> bool:
        """Whether the process that made the plan is still at work; without it nothing should go on."""
        import psutil

        try:
            return psutil.Process(self.owner).status() not in (psutil.STATUS_ZOMBIE, psutil.STATUS_DEAD)
        except psutil.NoSuchProcess:
            return False

    @property
    def log(self) -> Path:
        return self.path.with_name(".plan.log")

    def events(self, kind: str) -> list[str]:
        """Steps that `started` or `finished` so far."""
        lines = self.log.read_text().splitlines() if self.log.is_file() else []
        return [line.split()[1] for line in lines if line.split()[0] == kind]

    def note(self, kind: str, step: str) -> None:
        with open(self.log, "a") as file:
            file.write(f"{kind} {step} {time.time():.0f}\n")

    def remaining(self) -> str:
        """Time of all steps that have not finished, in words."""
        left = [self.seconds[step] for step in self.seconds if step not in self.events("finished")]
        known = sum(value for value in left if value)
        if None not in left:
            return f"about {duration(known)} left"
        return f"at least {duration(known)} left" if known else "time unknown before the first run"

    def describe(self, name: str) -> str:
        return f"{name}: {_steps(len(self.seconds))} to run, {self.remaining()}"

    def describe_end(self, name: str) -> str:
        missing = [step for step in self.seconds if step not in self.events("finished")]
        if not missing:
            return f"{name}: {_steps(len(self.seconds))} done, results in runs/{name}"
        return f"{name}: not done, of {_steps(len(self.seconds))}: {', '.join(missing)}"

    def describe_start(self, step: str) -> str:
        position = len(dict.fromkeys(self.events("started")))
        own = self.seconds.get(step)
        estimate = f" (about {duration(own)})" if own else ""
        return f"[{position}/{len(self.seconds)}] {step}{estimate}; {self.remaining()}"


def current() -> Plan | None:
    """The plan of the run that started this process, if any."""
    path = os.environ.get(VARIABLE)
    return Plan.read(Path(path)) if path and Path(path).is_file() else None


def _steps(count: int) -> str:
    return "1 step" if count == 1 else f"{count} steps"


def wall_seconds(result: Path) -> float | None:
    """What a result file says its notebook took; None where there is no such file or it does not say."""
    try:
        return json.loads(result.read_text()).get("wall_seconds")
    except (OSError, json.JSONDecodeError, AttributeError):
        return None


def duration(seconds: float) -> str:
    """Seconds for people: `40 s`, `12 min`, `1 h 5 min`."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60} min"
