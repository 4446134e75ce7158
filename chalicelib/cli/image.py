"""`berth image`: which images there are, and making one from its spec."""

import argparse
from collections.abc import Callable, Sequence
from typing import Any

from chalicelib.cli.frame import command_parser, paint, print_json, print_table
from chalicelib.fleet.lxd_api import LxdApi
from chalicelib.images import find_image, image_names
from chalicelib.local import image_archive, image_store, lxd
from chalicelib.local.places import ROOT, Places
from chalicelib.local.progress import Progress

__all__ = ["image"]

_FOLDER = ROOT / ".berth/images"
_SHORT = 12


def image(arguments: Sequence[str]) -> int:
    """List the images or make one; return 0."""
    parser = command_parser(
        "image",
        "Make the images that containers of jobs are copied from. An image is a file of\n"
        "chalicelib/images: a host spec, and the image that it begins from. It is tagged by the\n"
        "hash of its recipe, made only when that has changed, and the last three of each are kept.",
        examples=["./berth image ls", "./berth image build python", "./berth image build --all"],
    )
    whats = parser.add_subparsers(dest="what", required=True, metavar="WHAT")
    listing = whats.add_parser("ls", help="which images there are, and what LXD has of each")
    listing.set_defaults(run=_list)
    building = whats.add_parser("build", help="make an image, and those that it begins from")
    building.add_argument("name", nargs="?", choices=image_names(), metavar="NAME")
    building.add_argument("--all", action="store_true", help="make every image")
    building.set_defaults(run=_build)
    for each in (listing, building):
        each.add_argument("--json", action="store_true", help="print one JSON document")
    asked = parser.parse_args(arguments)
    if asked.what == "build" and (asked.name is None) != asked.all:
        building.error("name one image, or say --all")
    run: Callable[[argparse.Namespace], int] = asked.run
    return run(asked)


def _lxd() -> LxdApi:
    places, progress = Places.from_environment(), Progress()
    facts = lxd.prepare(
        places.state, progress, project=places.lxd_project, slots=places.slots, images=_FOLDER
    )
    return LxdApi(facts.socket, host="this machine", project=facts.project)


def _list(asked: argparse.Namespace) -> int:
    api, certificates = _lxd(), image_archive.extra_certificates()
    found: list[dict[str, Any]] = []
    for name in image_names():
        recipe = image_archive.recipe(name, certificates)
        images = image_store.images_of(api, name)
        found.append(
            {
                "name": name,
                "description": find_image(name).description,
                "parent": find_image(name).parent,
                "recipe": recipe,
                "current": image_store.has_image(api, name, recipe),
                "images": [
                    {
                        "fingerprint": each["fingerprint"],
                        "recipe": each["properties"]["berth.recipe"],
                        "size_bytes": each["size"],
                        "uploaded_at": each["uploaded_at"],
                    }
                    for each in images
                ],
            }
        )
    if asked.json:
        print_json(found)
        return 0
    rows = [
        (
            paint(each["name"], "bold"),
            "made" if each["current"] else "out of date" if each["images"] else "not made",
            str(len(each["images"])),
            each["description"],
        )
        for each in found
    ]
    print_table([("IMAGE", "STATE", "KEPT", "WHAT"), *rows])
    return 0


def _build(asked: argparse.Namespace) -> int:
    api, progress = _lxd(), Progress()
    names = image_names() if asked.all else [asked.name]
    certificates = image_archive.extra_certificates()
    made: dict[str, dict[str, Any]] = {}
    for name in names:
        fresh = lxd.ensure_image(api, name, progress, folder=_FOLDER)
        newest = image_store.images_of(api, name)[0]
        made[name] = {
            "fingerprint": newest["fingerprint"],
            "recipe": image_archive.recipe(name, certificates),
            "made": fresh,
        }
        if not asked.json:
            how = "made" if fresh else "is up to date"
            print(f"{name} {how}: {newest['fingerprint'][:_SHORT]}, recipe {made[name]['recipe']}")
    if asked.json:
        print_json(made)
    return 0
