"""The promises of a plan, with S3's versions and MediaPipe's landmarks filled in."""

from collections.abc import Iterator, Mapping

from tests.chaos import files
from tests.chaos.check import ItemPromise
from tests.chaos.envelopes import Uploaded, Uploads
from tests.chaos.plan import Plan
from tests.chaos.truth import Truth


def item_promises(
    plan: Plan, uploads: Uploads, truths: Mapping[str, Truth], max_people: int
) -> Iterator[ItemPromise]:
    """One for each object that has to have an item."""
    for place, object_ in enumerate(plan.objects):
        if object_.final is None:
            continue
        content = object_.contents[object_.final]
        recipe = files.RECIPES[content.recipe]
        truth = truths.get(recipe.picture, Truth(0, 0, {}))
        *older, newest = (
            uploads.get((place, upload), Uploaded("never uploaded", None))
            for upload in range(object_.final + 1)
        )
        yield ItemPromise(
            story=object_.story,
            key=object_.key,
            bucket=object_.bucket,
            identity=(newest.etag, newest.version_id),
            older=frozenset((etag, version_id) for etag, version_id in older),
            size_bytes=len(files.build(content)),
            codes=recipe.codes,
            width=truth.width,
            height=truth.height,
            groups=truth.groups,
            picture=recipe.picture,
            people=min(recipe.people, max_people) if truth.groups else 0,
            counted=max_people > 1,
        )


def dead_letter_promises(plan: Plan, bodies: Mapping[int, str]) -> dict[str, frozenset[str]]:
    """The bodies that have to be dead letters, each with its error codes."""
    return {
        bodies.get(place, f"message {place} was never sent"): message.dies
        for place, message in enumerate(plan.messages)
        if message.dies
    }
