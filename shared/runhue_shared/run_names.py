"""Readable names for runs that got none: `brisk-otter-12`."""

import hashlib

NUMBERS = 999

_ADJECTIVES = """
able agile airy amber ample autumn azure balmy bold bonny brave breezy bright brisk calm candid
cheery chipper civil clear clever cordial cosmic cozy crisp curious dapper daring dawn deft devoted
dewy eager earnest easy elated fair fancy fearless festive fine fleet fluent fond frank fresh
gallant genial gentle giving glad gleaming golden graceful grand happy hardy hearty helpful honest
hopeful humble jaunty jolly jovial joyful keen kind lively loyal lucid lucky lunar mellow merry
mighty mild misty modest neat nimble noble patient peaceful placid plucky polite proud quick quiet
radiant ready rosy serene silver sincere snowy solar spry steady stellar summer sunny swift tidy
tranquil trusty upbeat valiant vivid warm wise witty zesty
"""
_NOUNS = """
acorn alder alpaca aspen aurora badger bay beacon beaver birch bison bluff brook canyon caribou
cedar cicada cliff cloud clover comet condor coral cove crane creek cricket cypress dale delta
dolphin dove dune eagle egret elk elm ember falcon fern finch firefly fjord forest fox galaxy garden
gecko glacier glade grove gull harbor hare harvest hawk hazel heron hill ibis iris island ivy jay
juniper kestrel koala lagoon lake lantern lark laurel lemur lily lynx magnolia maple marten meadow
mesa meteor moon moose nebula newt oak oasis orchard orchid oriole osprey otter owl panda pebble
pelican penguin pine plover pond poplar puffin quail rabbit raven reef ridge river robin rowan sage
sail seal sequoia sparrow spruce starling stork sunrise swallow swan thrush tulip valley violet
walnut warbler willow wombat wren yarrow
"""
ADJECTIVES = tuple(_ADJECTIVES.split())
NOUNS = tuple(_NOUNS.split())


def readable_name(run_id: str) -> str:
    """Adjective, noun and a number from 1 to 999, by the run's id: server and SDK name it alike."""
    number = int.from_bytes(hashlib.sha256(run_id.encode()).digest()[:8])
    number, adjective = divmod(number, len(ADJECTIVES))
    number, noun = divmod(number, len(NOUNS))
    return f"{ADJECTIVES[adjective]}-{NOUNS[noun]}-{number % NUMBERS + 1}"
