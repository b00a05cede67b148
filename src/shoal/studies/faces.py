"""The study of faces: which triplets teach, what an embedding knows, and whether two generations of them compare.

    result = FacesStudy(FacesStudyConfig(data="lfw", budget="full")).run("runs/faces")

Networks are trained on some people and compared on pairs of others, who are looked at once, after all trainings.
Thresholds are chosen on people who are in neither part. Where no faces are at hand, digits take their place, and the
report says that these are not faces.
"""

import time

from shoal.data.faces.reading import Progress as Reading
from shoal.engine import Progress, RunFolder, choose_device, describe_environment
from shoal.studies.faces_claims import all_claims
from shoal.studies.faces_config import FacesStudyConfig, resolve
from shoal.studies.faces_data import read_faces
from shoal.studies.faces_findings import summary
from shoal.studies.faces_kept import keep_faces
from shoal.studies.faces_looking import Looking
from shoal.studies.faces_measurements import measure
from shoal.studies.faces_names import MAIN
from shoal.studies.faces_pictures import pictures
from shoal.studies.faces_story import tell
from shoal.studies.faces_tables import tables
from shoal.studies.faces_training import Trainings, check_settings
from shoal.studies.measured_rows import Rows
from shoal.studies.repeating import name_run, plain_settings, repeating_command
from shoal.studies.result import Result
from shoal.studies.study import Study

TITLE = "Faces: embeddings, and whether two generations of them compare"
NOT_FACES = "Embeddings of digits in place of faces: these are not faces"


class FacesStudy(Study):
    """The study on its faces, ready to run.

    Args:
        config: the settings; what is 0 or empty follows the budget.
        notes: what the lab notebook holds besides: who, with whom, resources, time spent.
        reading: told how many images have been read, of how many.

    Raises:
        InputError: if a setting is wrong or the faces cannot be used.
    """

    name = "faces"

    def __init__(
        self, config: FacesStudyConfig, notes: dict[str, str] | None = None, *, reading: Reading | None = None
    ):
        self.config, self.notes = resolve(config), notes or {}
        check_settings(self.config)  # refuses wrong ones now, not after the images were read
        choose_device(self.config.device)
        began = time.monotonic()
        self.faces = read_faces(self.config, reading)
        self.reading = time.monotonic() - began
        settings = {key: value for key, value in plain_settings(self.config).items() if key not in ("data", "offline")}
        self.identity = {"study": self.name, "settings": settings, "data": self.faces.identity}
        about = self.faces.about
        self.title = TITLE if self.faces.test.are_faces else NOT_FACES
        self.run_name = name_run(self.name, self.config.budget, self.identity, about["name"].partition(" (")[0])
        said = f"{about['title']}: {about['to train on']} to train on, {about['test']} to test with ({about['why']})"
        self.says = tuple(filter(None, (said, about["better"])))

    def _run(self, run: RunFolder, progress: Progress) -> Result:
        config, faces = self.config, self.faces
        device, why = choose_device(config.device)
        environment = describe_environment(seed=config.seed, device=str(device), why=why)
        run.record_environment(environment)
        trainings = Trainings(config, faces, run, progress)
        trained = trainings.all()
        rows = Rows(run)
        look = Looking(config, faces, trainings)
        measured = measure(config, look, rows, progress)
        keep_faces(run, look)
        about = {key: value for key, value in faces.about.items() if value != "" and key != "name_or_path"}
        result = Result(
            study=self.name,
            title=self.title,
            summary=summary(measured),
            command=repeating_command(
                self.name,
                config,
                resolve(FacesStudyConfig(budget=config.budget)),
                given=("--data", faces.about["name_or_path"]),
                left_out=("data", "offline"),
            ),
            settings=plain_settings(config),
            environment=environment | {"precision": trained[MAIN].about["precision"]},
            data=about,
            claims=all_claims(measured),
            tables=tables(measured),
            pictures=pictures(measured, faces),
            seconds={
                "read the faces": self.reading,
                **{f"train: {name}": one.about["seconds"] for name, one in trained.items()},
                **rows.seconds(),
            },
            notes=self.notes,
        )
        return tell(result)
