#!/usr/bin/env bash
# Runs a Linux program on an emulated x86-64 CPU that has AVX-512 (F, CD, BW, DQ, VL), for machines whose own CPU has none.
#
#     scripts/avx512_emulated.sh [--with PATH]... PROGRAM [ARG...]
#
# The program sees AVX-512 in cpuid and enabled in XCR0, so `is_x86_feature_detected!("avx512bw")` is true. Its standard output and
# standard error come out as they are written, and the script exits with its exit code (128 + n if signal n killed it; 125 if the
# emulated machine itself went wrong). Best is a static program (Rust: `-C target-feature=+crt-static`); for a dynamic one the
# shared libraries that ldd names are taken along. Whole test suites run by way of cargo:
#
#     CARGO_TARGET_X86_64_UNKNOWN_LINUX_GNU_RUNNER=$PWD/scripts/avx512_emulated.sh cargo test --release -p CRATE --lib
#
# How: Bochs, an interpreter of the whole PC (qemu's TCG and valgrind know no AVX-512), boots Debian's cloud kernel with an initramfs
# that holds the program. It starts in the caller's working directory, which is empty there but for what --with (a file or a folder,
# put at the same absolute path) or EMU_WITH brought along; standard input is empty; there is one CPU, and no network or disk.
#
# Needs, from Debian (12; nothing from elsewhere, no KVM, no root once these are installed):
#     apt-get install --no-install-recommends bochs bochs-term bochsbios vgabios isolinux syslinux-common xorriso cpio busybox-static
# and a kernel: EMU_KERNEL, or a cloud kernel in /boot, or else `apt-get download` fetches one (27 MB; `apt-get update` first) and
# keeps it in the user's cache folder.
#
# Time, in seconds of one core of a Zen 3 (it uses one): 12 to 18 to boot, then 35 to 50 million plain or 18 million AVX-512
# instructions a second: a few hundred times slower than a real CPU, so give it kilobytes and thousands of cases, and a release build.
# Clocks inside are virtual, 20 million instructions to the second, and output passes at 11 kB of such a second: time nothing here.
# Debian's Bochs is a debugger build. One made from the package's source (Bochs 3.0 was tried) runs plain code at 160 million and
# AVX-512 at 26 million a second, and boots in 5; it builds in 3.5 minutes on two cores, and BOCHS=/path/to/it takes it:
#     ./configure --enable-x86-64 --enable-avx --enable-evex --enable-repeat-speedups --enable-fast-function-calls \
#                 --enable-handlers-chaining --disable-docbook --with-nogui && make
#
# Environment:
#     BOCHS        another Bochs (2.7 or later, with EVEX)
#     EMU_DISPLAY  Bochs's display library: term (default), or nogui (default with BOCHS)
#     EMU_ENV      names of variables to hand to the program, besides RUST_*, CARGO_* and PROPTEST_*
#     EMU_KERNEL   a bzImage, with the serial driver built in
#     EMU_MEM_MB   memory of the emulated machine (512)
#     EMU_TIMEOUT  seconds until it is given up (3600)
#     EMU_WITH     files and folders to bring along, separated by ':', as with --with
set -euo pipefail

die() { echo "avx512_emulated: $*" >&2; exit 125; }
quote() { printf "'%s' " "${1//\'/\'\\\'\'}"; }

with=()
[ -z "${EMU_WITH:-}" ] || IFS=: read -ra with <<<"$EMU_WITH"
while [ "${1:-}" = --with ]; do
    [ $# -ge 2 ] || die "--with wants a path"
    with+=("$2"); shift 2
done
[ $# -ge 1 ] || die "usage: $0 [--with PATH]... PROGRAM [ARG...]"
program=$(realpath -e -- "$1") || die "no program at $1"
shift

bochs=${BOCHS:-bochs}
display=${EMU_DISPLAY:-$([ -n "${BOCHS:-}" ] && echo nogui || echo term)}
cpu=corei7_skylake_x # has no VBMI or VNNI; Linux does not come up on the later models (icelake_u, tigerlake; seen with 2.7 and 3.0)
ips=20000000 # emulated instructions to the virtual second: fewer make the boot's delay loops shorter, more the timer's share smaller
isolinux=/usr/lib/ISOLINUX/isolinux.bin
ldlinux=/usr/lib/syslinux/modules/bios/ldlinux.c32
bios=/usr/share/bochs/BIOS-bochs-latest
vgabios=/usr/share/bochs/VGABIOS-lgpl-latest
busybox=$(command -v busybox) || die "install busybox-static"
for tool in "$bochs" xorriso cpio; do command -v "$tool" >/dev/null || die "no $tool: see the packages named in $0"; done
bochs=$(realpath -e "$(command -v "$bochs")")
for file in $isolinux $ldlinux $bios $vgabios; do [ -r "$file" ] || die "no $file: see the packages named in $0"; done
help=$("$bochs" --help 2>&1 </dev/null || true)
debugger=() # a debugger build waits for a command before it starts
grep -q -- '-rc filename' <<<"$help" && debugger=(-rc continue.rc)

scratch=$(mktemp -d)
bochs_pid="" tail_pids=""
cleanup() {
    # shellcheck disable=SC2086  # a list of ids
    [ -z "$bochs_pid$tail_pids" ] || kill -KILL $bochs_pid $tail_pids 2>/dev/null || true # a debugger build survives less
    rm -rf "$scratch"
}
trap cleanup EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

find_kernel() {
    local found cache=${XDG_CACHE_HOME:-$HOME/.cache}/avx512_emulated package
    found=$(find /boot -maxdepth 1 -name 'vmlinuz-*-cloud-amd64' -size +0 2>/dev/null | sort -V | tail -n 1)
    if [ -n "$found" ]; then echo "$found"; return; fi
    if [ ! -s "$cache/vmlinuz" ]; then
        package=$(apt-cache depends linux-image-cloud-amd64 | awk '/Depends: linux-image-[0-9]/ { print $2; exit }')
        [ -n "$package" ] || die "apt knows no linux-image-cloud-amd64: run apt-get update, or set EMU_KERNEL"
        mkdir -p "$scratch/kernel" "$cache"
        (cd "$scratch/kernel" && apt-get -q download "$package" >log 2>&1 && dpkg-deb -x ./*.deb .) ||
            die "cannot download $package: $(tail -n 3 "$scratch/kernel/log")"
        # Moved in one step, since another run may be at the same.
        cp "$scratch"/kernel/boot/vmlinuz-* "$cache/vmlinuz.$$" && mv "$cache/vmlinuz.$$" "$cache/vmlinuz"
        rm -r "$scratch/kernel"
    fi
    echo "$cache/vmlinuz"
}
kernel=${EMU_KERNEL:-$(find_kernel)}

# The emulated machine's root folder.
root=$scratch/root
mkdir -p "$root"/{bin,dev,proc,sys,tmp} "$root$PWD" "$scratch/iso"
cp "$busybox" "$root/bin/busybox"
bring() { # a path, to the same place there
    local path
    path=$(realpath -es -- "$1") || die "nothing at $1"
    mkdir -p "$root$(dirname "$path")"
    cp -rL --no-preserve=ownership -- "$path" "$root$(dirname "$path")/"
}
bring "$program"
for path in "${with[@]}"; do bring "$path"; done
libraries=$(ldd "$program" 2>/dev/null | awk '$2 == "=>" && $3 ~ /^\// { print $3 } $1 ~ /^\// { print $1 }' || true)
for path in $libraries; do bring "$path"; done

# Serial ports: 0 the kernel's console, 1 and 2 the program's output and errors, 3 its exit status. Closing one waits until it is sent.
# Where both go to one place here, they share a port, to keep their order.
errors=/dev/ttyS2
[ ! /dev/fd/1 -ef /dev/fd/2 ] || errors='&1'
{
    echo '#!/bin/busybox sh'
    echo 'export PATH=/bin HOME=/tmp TMPDIR=/tmp'
    echo 'busybox mount -t devtmpfs dev /dev; busybox mount -t proc proc /proc; busybox mount -t sysfs sys /sys'
    echo 'for port in 1 2 3; do busybox stty -F /dev/ttyS$port raw -echo 115200; done'
    while IFS= read -r name; do
        case $name in
            RUST_* | CARGO_* | PROPTEST_*) ;;
            *) [[ " ${EMU_ENV:-} " == *" $name "* ]] || continue ;;
        esac
        echo "export $name=$(quote "${!name}")"
    done < <(compgen -e)
    echo "cd $(quote "$PWD")"
    for word in "$program" "$@"; do quote "$word"; done
    echo "</dev/null >/dev/ttyS1 2>$errors"
    echo 'echo $? >/dev/ttyS3'
    echo 'busybox poweroff -f'
} >"$root/init"
chmod +x "$root/init"
(cd "$root" && find . | cpio --quiet -o -H newc -R 0:0) >"$scratch/iso/initrd"

# What the kernel is told beyond its console:
# - Bochs 2.7 states the size of the compacted XSAVE area wrongly, and Linux then turns all of XSAVE off, AVX with it: so without it.
# - The CPU model names 3.5 GHz while a tick here is one instruction: the true rate, or every delay loop takes 175 times too long.
# - Self-tests and tables that nobody reads here are two thirds of the boot.
skipped=load_system_certificate_list,trace_eval_init,init_kprobe_trace,cubictcp_register,init_evm,pci_apply_final_quirks
cp "$kernel" "$scratch/iso/vmlinuz"
cp $isolinux $ldlinux "$scratch/iso/"
cat >"$scratch/iso/isolinux.cfg" <<EOC
default emulated
prompt 0
label emulated
kernel vmlinuz
append initrd=initrd console=ttyS0 quiet nosmp nokaslr mitigations=off clearcpuid=xsaves,xsavec tsc_early_khz=$((ips / 1000)) no_timer_check cryptomgr.notests initcall_blacklist=$skipped
EOC
xorriso -as mkisofs -quiet -o "$scratch/boot.iso" -b isolinux.bin -c boot.cat -no-emul-boot -boot-load-size 4 -boot-info-table \
    "$scratch/iso" >"$scratch/xorriso.log" 2>&1 || die "xorriso: $(tail -n 3 "$scratch/xorriso.log")"
rm -r "$root" "$scratch/iso"

cd "$scratch"
touch console out err status
echo continue >continue.rc
cat >bochsrc <<EOC
config_interface: textconfig
display_library: $display
memory: guest=${EMU_MEM_MB:-512}, host=${EMU_MEM_MB:-512}
romimage: file=$bios
vgaromimage: file=$vgabios
cpu: model=$cpu, count=1, ips=$ips, reset_on_triple_fault=0
clock: sync=none, time0=local
ata0-master: type=cdrom, path=boot.iso, status=inserted
boot: cdrom
com1: enabled=1, mode=file, dev=console
com2: enabled=1, mode=file, dev=out
com3: enabled=1, mode=file, dev=err
com4: enabled=1, mode=file, dev=status
log: bochs.log
panic: action=fatal
error: action=ignore
info: action=ignore
debug: action=ignore
EOC
TERM=vt100 "$bochs" -q -f bochsrc "${debugger[@]}" </dev/null >screen 2>&1 &
bochs_pid=$!
# Each ends, having read to the end, once Bochs has.
tail -c +1 -s 0.2 -f --pid=$bochs_pid out & tail_pids=$!
tail -c +1 -s 0.2 -f --pid=$bochs_pid err >&2 & tail_pids+=" $!"

fault=""
deadline=$((SECONDS + ${EMU_TIMEOUT:-3600}))
while kill -0 $bochs_pid 2>/dev/null; do
    if grep -q 'Kernel panic' console; then fault="the emulated kernel panicked"; fi
    if [ $SECONDS -ge $deadline ]; then fault="given up after ${EMU_TIMEOUT:-3600} s"; fi
    if [ -n "$fault" ]; then kill -KILL $bochs_pid; break; fi
    sleep 0.2
done
wait $bochs_pid 2>/dev/null || true # a power-off counts as a failure with Bochs
bochs_pid=
# shellcheck disable=SC2086
wait $tail_pids || true
tail_pids=

code=$(tr -d '\r\n' <status)
if [ -n "$fault" ] || ! [[ $code =~ ^[0-9]+$ ]]; then
    { echo "--- the emulated machine's console:"; tail -n 20 console; echo "--- Bochs:"; tail -n 5 bochs.log 2>/dev/null || tail -n 5 screen; } >&2
    die "${fault:-the emulated machine stopped before the program ended}"
fi
exit "$code"
