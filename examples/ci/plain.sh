#!/bin/sh
# reconciler in any pipeline. Copy it as ci/intercom.sh; the action for GitHub brings its own.
#
#   intercom.sh plan      on a change request: plans, and leaves the plan and its reports in $OUT; writes nothing to Intercom
#   intercom.sh apply     on the main branch, after the merge: carries out the very plan that was reviewed, or nothing
#   intercom.sh nightly   on the main branch, every night: ends with 2 where Intercom moved away from what was applied, or something
#                         could not be told; with 3 where nothing can be said. The report has what could not be said on top
#   intercom.sh name      prints the name of the plan file of this commit
#
# A plan file is named after the content of the manifest that it was made for, so a merge, a squash and a rebase all find the
# plan that was reviewed, and another content finds none. $OUT must outlive the job: a shared folder, or your CI's artifacts.
#
# What was applied is remembered in the ledger, by default in a ref of the remote `origin`: all three read it, and `apply` must be
# allowed to push. RECONCILER_LEDGER_KEY is its key, a secret, the same one for all three (make one with: openssl rand -hex 32).
set -eu

MANIFEST=${MANIFEST:-intercom}         # files and folders, separated by blanks
ENVIRONMENT=${ENVIRONMENT:-}           # of a manifest with overlays: a job for each, with its own token
POLICY=${POLICY:-intercom-policy.yaml} # outside of the manifest, and best under code owners
BASE=${BASE:-origin/main}              # what a change request goes into
BEFORE=${BEFORE:-HEAD^1}               # the main branch before the merge
OUT=${OUT:-out}
WAIT=${WAIT:-90} # seconds for another apply to end; that of one that was killed ends by itself after 60

# git, git:REMOTE, postgresql://HOST/DATABASE or none; empty: a file in .reconciler/, for a machine that stays.
export RECONCILER_LEDGER="${RECONCILER_LEDGER-git}"

main() {
    verb=${1:-}
    case ${1:-} in
        plan | apply | nightly) mkdir -p "$OUT" ;;
        name) ;;
        *) die 64 "usage: $0 plan | apply | nightly | name" ;;
    esac
    "$1"
}

name() {
    # shellcheck disable=SC2086 # several paths
    echo "plan-${ENVIRONMENT:+$ENVIRONMENT-}$(git ls-tree HEAD -- $MANIFEST | git hash-object --stdin).json"
}

plan() {
    rm -f "$OUT/plan.md" "$OUT/errors.txt"
    if [ -z "${INTERCOM_ACCESS_TOKEN:-}" ]; then
        no_token
        return 0
    fi
    set -- -o "$OUT/$(name)" --detailed-exitcode --base "$BASE" --report "markdown=$OUT/plan.md" --report "html=$OUT/plan.html"
    # Changes that nothing written explains end with 3. Leave this line out to have them shown only.
    set -- "$@" --fail-on unexplained
    policy_of "$BASE"
    if [ -f "$OUT/policy.yaml" ]; then
        set -- "$@" --policy "$OUT/policy.yaml"
    fi
    # shellcheck disable=SC2086 # several paths
    keep_errors reconciler plan $MANIFEST ${ENVIRONMENT:+--env "$ENVIRONMENT"} "$@" >"$OUT/plan.txt"
    if [ "$code" = 3 ] && [ -f "$OUT/plan.md" ]; then
        echo "This plan is refused: $OUT/plan.md says why, and how to go on." >&2
    elif [ "$code" != 0 ] && [ "$code" != 2 ]; then
        note "There is no plan: it ended with exit code $code."
    fi
    [ "$code" = 2 ] || return "$code"
}

# Secrets are not given to change requests from forks. Their manifest is checked; the plan waits for a branch of this repository.
no_token() {
    text="There is no access token here (change requests from forks get none), so the manifest was only checked and not planned.
A maintainer can push this branch to the repository itself to have it planned."
    # shellcheck disable=SC2086 # several paths
    keep_errors reconciler validate $MANIFEST ${ENVIRONMENT:+--env "$ENVIRONMENT"}
    [ "$code" = 0 ] || text="The manifest is not valid."
    note "$text"
    [ "$code" = 0 ] || exit "$code"
}

apply() {
    file="$OUT/$(name)"
    if ! [ -f "$file" ]; then
        die 4 "no plan was made for this manifest ($file): bring the branch up to date before it is merged, so that what is planned is
what is merged. Now: make a change request that touches the manifest, and have its plan reviewed."
    fi
    policy_of "$BEFORE"
    set -- --events "$OUT/events.ndjson" --lock-timeout "$WAIT"
    if [ -f "$OUT/policy.yaml" ]; then
        set -- "$@" --policy "$OUT/policy.yaml"
    fi
    code=0
    reconciler apply "$file" "$@" >"$OUT/apply.txt" || code=$?
    cat "$OUT/apply.txt"
    case $code in
        0) ;;
        3) echo "Refused, nothing was written. Approvals are taken from $POLICY as it was before this merge." >&2 ;;
        4) echo "Nothing was written: the workspace is no longer as it was when this was reviewed. Plan again." >&2 ;;
        6) echo "Nothing was written: another run is applying. Run this job again when that one has ended." >&2 ;;
        5 | 130 | 143) echo "Applied in part. Run this job again: it goes on where it ended." >&2 ;;
    esac
    return "$code"
}

# What was merged and not applied yet is no drift: the report lists it, and the night ends with 0.
nightly() {
    rm -f "$OUT/nightly.md"
    policy_of HEAD
    set -- --report "markdown=$OUT/nightly.md"
    if [ -f "$OUT/policy.yaml" ]; then
        set -- "$@" --policy "$OUT/policy.yaml"
    fi
    code=0
    # shellcheck disable=SC2086 # several paths
    reconciler drift $MANIFEST ${ENVIRONMENT:+--env "$ENVIRONMENT"} "$@" >"$OUT/nightly.txt" || code=$?
    case $code in
        3)
            # Without a report it was refused before anything was read.
            [ -f "$OUT/nightly.md" ] || echo "Nothing can be said of this workspace: the log of this job says why." >"$OUT/nightly.md"
            echo "Nothing can be said of this workspace: $OUT/nightly.md says why." >&2
            ;;
    esac
    return "$code"
}

# The policy as a commit has it, so that no change request loosens the rules that it is held to. A commit that has none has none.
policy_of() {
    rm -f "$OUT/policy.yaml"
    git rev-parse --quiet --verify "$1^{commit}" >/dev/null || die 1 "git does not know $1 here: fetch it first"
    if git cat-file -e "$1:./$POLICY" 2>/dev/null; then
        git cat-file blob "$1:./$POLICY" >"$OUT/policy.yaml"
    fi
}

# Runs a command, whose exit code is $code then; what it says on standard error is kept for a note.
keep_errors() {
    code=0
    "$@" 2>"$OUT/errors.txt" || code=$?
    cat "$OUT/errors.txt" >&2
}

# A report that replaces the one before, which would be about another commit: a sentence, and the errors.
note() {
    {
        printf '<!-- reconciler:plan -->\n%s\n' "$1"
        if [ -s "$OUT/errors.txt" ]; then printf '\n<pre>\n%s\n</pre>\n' "$(inert <"$OUT/errors.txt")"; fi
    } >"$OUT/plan.md"
    echo "$1" >&2
}

# Foreign text as text: no HTML, no mention, no reference, no workflow command, and no more than fits.
inert() {
    awk '/^[ \t]*::/ { next }
        (size += length($0)) > 20000 || ++lines > 50 { print "… the log of this job has the rest"; exit }
        {
            gsub(/&/, "\\&amp;"); gsub(/#/, "\\&#35;"); gsub(/</, "\\&lt;"); gsub(/>/, "\\&gt;"); gsub(/@/, "\\&#64;")
            gsub(/`/, "\\&#96;"); gsub(/\[/, "\\&#91;"); gsub(/\]/, "\\&#93;"); gsub(/!/, "\\&#33;"); gsub(/\|/, "\\&#124;")
            print
        }'
}

die() {
    echo "error: $2" >&2
    if [ "$verb" = plan ]; then
        echo "error: $2" >"$OUT/errors.txt"
        note "There is no plan: it ended with exit code $1."
    fi
    exit "$1"
}

main "$@"
