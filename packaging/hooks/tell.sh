#!/bin/sh
# after_commit, after_rollback, after_failure: a line in the system log for people, with what the agent knows.
#
#   after_failure = [["/usr/lib/engraft/hooks/tell.sh"]]
set -u
logger -t engraft "$ENGRAFT_HOOK: $ENGRAFT_PRODUCT $ENGRAFT_FROM_VERSION -> $ENGRAFT_VERSION," \
    "outcome $ENGRAFT_STATUS ($ENGRAFT_CODE): $ENGRAFT_MESSAGE"
