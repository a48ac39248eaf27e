"""python -m verification.proof.child: proves rows on a scratch database, and nowhere else.

Started by `verify_locks` with DATABASE_URL set to the scratch database, so it can't reach the real one. Takes what to
prove as JSON in its first argument; prints one line of JSON for each step and result. Ends when its stdin closes, so it
never outlives the command, however that dies.
"""

import json
import os
import sys
import threading
from contextlib import nullcontext
from typing import Any


def main() -> None:
    wanted = json.loads(sys.argv[1])
    threading.Thread(target=_end_with_parent, daemon=True).start()
    import django
    from django.conf import settings

    django.setup()
    # With DEBUG, Django keeps the text of every query.
    settings.DEBUG = False
    from django.core.management import call_command

    from verification.proof.pooler import past_the_pooler
    from verification.proof.run import prove
    from verification.proof.schemas import make_schemas
    from verification.proof.scratch import refuse_unless_scratch
    from verification.rows import ROWS
    from verification.scenes import set_the_scene

    refuse_unless_scratch()
    _say({"say": "migrating the scratch database"})
    make_schemas()
    call_command("migrate", verbosity=0)
    set_the_scene()
    for row in ROWS:
        if row.key in wanted["rows"]:
            for proof in row.proofs:
                with past_the_pooler() if proof.is_direct else nullcontext():
                    result = prove(row, proof, most_rounds=wanted["rounds"], say=lambda text: _say({"say": text}))
                _say({"proof": result.as_json()})


def _say(what: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(what) + "\n")
    sys.stdout.flush()


def _end_with_parent() -> None:
    sys.stdin.read()
    os._exit(1)


if __name__ == "__main__":
    main()
