#!/bin/sh
# Installs psn, which is one program, for the user who runs this. Nothing else of the machine is changed.
#
#   PSN_INSTALL   the folder that it goes to; ~/.local/bin if this is not set
#   PSN_RELEASE   the address of a release: where psn-PLATFORM.gz and SHA256SUMS are
#
# Needs curl or wget, gzip, and sha256sum, shasum or openssl.
set -eu

# A release's own install.sh has its address here.
RELEASE=''

fail() {
  printf '✗ %s\n  → %s\n' "$1" "$2" >&2
  exit 1
}

has() { command -v "$1" >/dev/null 2>&1; }

# linux-x64, linux-arm64-musl, darwin-arm64, …
platform() {
  system=$(uname -s) machine=$(uname -m)
  case $system in
    Linux) os=linux ;;
    Darwin) os=darwin ;;
    *) fail "there is no psn for $system here" 'on Windows use Scoop; elsewhere npm install --global psn' ;;
  esac
  case $machine in
    x86_64 | amd64) cpu=x64 ;;
    aarch64 | arm64) cpu=arm64 ;;
    *) fail "there is no psn for processors of the kind $machine" 'there is one for x86_64 and one for arm64' ;;
  esac
  # A shell that Rosetta translates sees the other processor.
  if [ "$os$cpu" = darwinx64 ] && [ "$(sysctl -n sysctl.proc_translated 2>/dev/null)" = 1 ]; then cpu=arm64; fi
  libc=
  if [ "$os" = linux ] && is_musl; then libc=-musl; fi
  printf '%s\n' "$os-$cpu$libc"
}

# musl's own ldd says what it is, and ends with an error.
is_musl() {
  if has ldd; then (ldd --version 2>&1 || :) | grep -qi musl; else ls /lib/ld-musl-*.so.1 >/dev/null 2>&1; fi
}

fetch() {
  if has curl; then
    curl --fail --silent --show-error --location --retry 2 --output "$2" "$1"
  elif has wget; then
    wget -q -O "$2" "$1"
  else
    fail 'neither curl nor wget is here' 'install one of them and run this again'
  fi || fail "$1 cannot be downloaded" 'check the connection and the address, and run this again'
}

sha256() {
  if has sha256sum; then
    sha256sum <"$1"
  elif has shasum; then
    shasum -a 256 <"$1"
  elif has openssl; then
    openssl dgst -sha256 -r <"$1"
  else
    fail 'no program here computes SHA-256' 'install sha256sum, shasum or openssl, and run this again'
  fi
}

# What a shell reads when it starts. The words are for a person to type.
# shellcheck disable=SC2016
say_path() {
  case :$PATH: in *:"$1":*) return ;; esac
  printf '%s is not on PATH yet. To put it there, run this and open a new terminal:\n' "$1"
  case ${SHELL:-} in
    */fish) printf '  fish_add_path "%s"\n' "$1" ;;
    */zsh) printf '  echo '\''export PATH="%s:$PATH"'\'' >> ~/.zshrc\n' "$1" ;;
    */bash) printf '  echo '\''export PATH="%s:$PATH"'\'' >> ~/.bashrc\n' "$1" ;;
    *) printf '  echo '\''export PATH="%s:$PATH"'\'' >> ~/.profile\n' "$1" ;;
  esac
}

main() {
  address=${PSN_RELEASE:-$RELEASE}
  [ -n "$address" ] || fail 'this install.sh belongs to no release' 'take the one of a release, or set PSN_RELEASE'
  folder=${PSN_INSTALL:-${HOME:+$HOME/.local/bin}}
  [ -n "$folder" ] || fail 'HOME is not set' 'set PSN_INSTALL to the folder that psn shall go to'
  case $folder in /*) ;; *) folder=$PWD/$folder ;; esac
  [ ! -d "$folder/psn" ] || fail "$folder/psn is a folder" 'set PSN_INSTALL to another folder'
  has gzip || fail 'gzip is not here' 'install gzip and run this again'
  # Not in `name=psn-$(platform).gz`: a failure within is a failure here.
  what=$(platform)
  name=psn-$what.gz

  draft=$(mktemp -d)
  new=
  trap 'rm -rf "$draft" ${new:+"$new"}' EXIT
  trap 'exit 130' INT
  trap 'exit 143' HUP TERM
  fetch "$address/SHA256SUMS" "$draft/SHA256SUMS"
  expected=$(sed -n "s/^\([0-9a-f]\{64\}\)  $name\$/\1/p" "$draft/SHA256SUMS")
  [ -n "$expected" ] || fail "$address/SHA256SUMS has no $name" 'take another release'
  printf 'downloading %s/%s\n' "$address" "$name"
  fetch "$address/$name" "$draft/$name"
  found=$(sha256 "$draft/$name")
  [ "${found%% *}" = "$expected" ] ||
    fail "$name has another checksum than SHA256SUMS says; nothing was installed" \
      'run this again; if that does not help, tell the people who made the release'

  mkdir -p "$folder" || fail "$folder cannot be made" 'set PSN_INSTALL to a folder that you can write to'
  # In the folder itself: what is there before is replaced in one step, and never by a half.
  new=$folder/.psn.$$
  gzip -dc "$draft/$name" >"$new" || fail "$folder cannot be written to" 'set PSN_INSTALL to a folder with room'
  chmod 755 "$new"
  version=$("$new" --version) ||
    fail "psn for $what does not run on this machine; nothing was installed" 'use npm install --global psn'
  mv -f "$new" "$folder/psn"
  new=
  printf 'installed psn %s as %s\n' "$version" "$folder/psn"
  say_path "$folder"
  printf 'next: psn init   (to remove psn: rm %s)\n' "$folder/psn"
}

# The last line, so that a half of this file does nothing.
main
