"""Finds Debian's newest kernels, downloads them once, and unpacks what the lab needs of them."""

import hashlib
import json
import lzma
import os
import re
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from store import CACHE, LabError, lock, new_folder, step

SERIES = ("6.1", "6.12")

# In the order in which a machine loads them.
MODULES = ("qemu_fw_cfg", "brd", "irqbypass", "kvm", "kvm-amd")

# In the order in which a live machine loads them; a kernel may have some of them built in.
VIRTIO_MODULES = ("virtio_ring", "virtio", "virtio_pci_modern_dev", "virtio_pci_legacy_dev",
                  "virtio_pci", "virtio_blk", "virtio_console")

# Those that a kernel lacks that was unpacked when nothing needed them yet.
LATER_FILES = (
    "./lib/modules/*/kernel/drivers/*/virtio*.ko*",
    "./lib/modules/*/kernel/drivers/block/brd.ko*",
)

# What is unpacked from a kernel's image package and from its package of debug files.
IMAGE_FILES = (
    "./boot/vmlinuz-*",
    "./lib/modules/*/kernel/drivers/firmware/qemu_fw_cfg.ko*",
    "./lib/modules/*/kernel/virt/lib/irqbypass.ko*",
    "./lib/modules/*/kernel/arch/x86/kvm/kvm*.ko*",
    *LATER_FILES,
)
DEBUG_FILES = (
    "./usr/lib/debug/boot/vmlinux-*",
    "./usr/lib/debug/lib/modules/*/kernel/arch/x86/kvm/kvm*.ko",
)


@dataclass(frozen=True)
class Kernel:
    """A kernel in the cache."""

    folder: Path

    @property
    def release(self):
        return self.folder.name

    @property
    def series(self):
        return ".".join(self.release.split("-")[0].split(".")[:2])

    @property
    def image(self):
        return self.folder / f"vmlinuz-{self.release}"

    @property
    def debug(self):
        """Laid out as below /usr/lib/debug: boot/vmlinux-R and lib/modules/R/..."""
        return self.folder / "debug"

    @property
    def manifest(self):
        """Package versions, and the size of every file: written last."""
        return self.folder / "manifest.json"

    def module(self, name):
        return self.folder / "modules" / f"{name}.ko"

    def is_complete(self):
        try:
            sizes = json.loads(self.manifest.read_text())["sizes"]
            return all((self.folder / file).stat().st_size == sizes[file] for file in sizes)
        except (OSError, ValueError, KeyError):
            return False


def resolve(name):
    """The kernel of a series, or of a release: from the cache, or else from Debian."""
    found = find_cached(name)
    if found:
        return found
    if name not in SERIES:
        known = ", ".join(SERIES)
        raise LabError(f"there is no kernel '{name}': give a series ({known}) or a release that "
                       "`scripts/lab kernels` lists")
    with lock(f"kernel-{name}"):
        return find_cached(name) or fetch(name)


def find_cached(name):
    """The newest complete kernel in the cache of that series or release; None without."""
    kernels = [Kernel(folder) for folder in (CACHE / "kernels").glob("[0-9]*")
               if folder.suffix not in (".partial", ".old")]
    fitting = [kernel for kernel in kernels
               if name in (kernel.series, kernel.release) and kernel.is_complete()]
    return max(fitting, key=lambda kernel: version_key(kernel.release), default=None)


def version_key(release):
    return [int(number) for number in re.findall(r"\d+", release)]


def fetch(series):
    """Downloads and unpacks the newest kernel that has debug files."""
    downloads = CACHE / "downloads" / series
    downloads.mkdir(parents=True, exist_ok=True)
    try:
        packages = newest_packages(series)
        files = [download(package, downloads) for package in packages]
    except LabError as error:
        # Package lists that are absent, or older than what the archive still has.
        with step(f"apt-get update, because {error}"):
            update_lists()
        packages = newest_packages(series)
        files = [download(package, downloads) for package in packages]
    release = packages[0]["Package"].removeprefix("linux-image-")
    with new_folder(CACHE / "kernels" / release) as folder:
        with step(f"unpacking {release}"):
            unpack(Kernel(CACHE / "kernels" / release), folder, *files)
            write_manifest(folder, packages)
    shutil.rmtree(downloads)
    return Kernel(CACHE / "kernels" / release)


def newest_packages(series):
    """What apt says of the newest image package that has debug files, and of those."""
    names = set(run("apt-cache", "pkgnames", f"linux-image-{series}.").split())
    images = [name for name in names
              if re.fullmatch(r"linux-image-\d[^-]*(-\d+)?-cloud-amd64", name)]
    for image in sorted(images, key=version_key, reverse=True):
        if f"{image}-dbg" not in names:
            continue
        packages = [describe(image), describe(f"{image}-dbg")]
        if all("Filename" in package for package in packages):
            return packages
    raise LabError(f"apt offers no cloud kernel {series} with debug files")


def describe(package):
    """The fields of a package's entry in apt's lists; no Filename if it cannot be downloaded."""
    text = run("apt-cache", "show", "--no-all-versions", package)
    return dict(re.findall(r"^(\S+): (.*)$", text, re.MULTILINE))


def download(package, folder):
    """The package's file, downloaded unless a good one is there already."""
    file = folder / Path(package["Filename"]).name
    wanted = f"{package['Package']}={package['Version']}"
    if not is_good(file, package):
        for old in folder.glob(f"{package['Package']}_*.deb"):
            old.unlink()
        with step(f"downloading {wanted} ({int(package['Size']) / 1e6:.0f} MB)"):
            # Root's apt downloads as the user _apt, who may not write here.
            run("apt-get", "-qq", "-o", "APT::Sandbox::User=root", "download", wanted, cwd=folder)
        # apt has its own way to write a version with a colon in it.
        for written in folder.glob(f"{package['Package']}_*.deb"):
            written.rename(file)
    if not is_good(file, package):
        raise LabError(f"the download of {wanted} is broken")
    return file


def is_good(file, package):
    if not file.exists() or file.stat().st_size != int(package["Size"]):
        return False
    with open(file, "rb") as stream:
        digest = hashlib.sha256()
        while block := stream.read(1 << 20):
            digest.update(block)
    return digest.hexdigest() == package["SHA256"]


def unpack(kernel, folder, image_package, debug_package):
    """Puts the packages' files into `folder` under the names that `kernel` has for them."""
    image = folder / "image"
    extract(image_package, IMAGE_FILES, image)
    shutil.move(next(image.glob("boot/vmlinuz-*")), folder / kernel.image.name)
    (folder / "modules").mkdir()
    move_modules(image, folder / "modules")
    shutil.rmtree(image)
    extract(debug_package, DEBUG_FILES, folder / "unpacked")
    shutil.move(folder / "unpacked/usr/lib/debug", folder / "debug")
    shutil.rmtree(folder / "unpacked")


def move_modules(image, folder):
    """Puts the modules of an unpacked image side by side, uncompressed."""
    for module in image.glob("**/*.ko*"):
        content = module.read_bytes()
        if module.suffix == ".xz":
            content = lzma.decompress(content)
        (folder / module.name.removesuffix(".xz")).write_bytes(content)


def add_later_modules(kernel):
    """Adds the modules of LATER_FILES to a kernel that was unpacked when nothing needed them yet."""
    # The one that says that all are there comes last.
    last = kernel.module("brd")
    with lock(f"modules-{kernel.release}"):
        if last.exists():
            return
        package = describe(f"linux-image-{kernel.release}")
        versions = json.loads(kernel.manifest.read_text())["packages"]
        if versions.get(package.get("Package")) != package.get("Version"):
            raise LabError(f"{kernel.release} lacks modules and is no longer what apt offers: "
                           "run `scripts/lab clean --all` and try again")
        with tempfile.TemporaryDirectory(dir=kernel.folder) as name:
            folder = Path(name)
            extract(download(package, folder), LATER_FILES, folder / "image")
            move_modules(folder / "image", folder)
            for module in sorted(folder.glob("*.ko"), key=lambda file: file.name == last.name):
                module.rename(kernel.module(module.stem))


def extract(package, patterns, folder):
    folder.mkdir()
    with subprocess.Popen(["dpkg-deb", "--fsys-tarfile", package], stdout=subprocess.PIPE) as tar:
        run("tar", "-x", "-C", folder, "--wildcards", *patterns, stdin=tar.stdout)
    if tar.returncode != 0:
        raise LabError(f"cannot unpack {package}")


def write_manifest(folder, packages):
    files = [file for file in folder.rglob("*") if file.is_file()]
    manifest = {
        "packages": {package["Package"]: package["Version"] for package in packages},
        "sizes": {str(file.relative_to(folder)): file.stat().st_size for file in files},
    }
    (folder / "manifest.json").write_text(json.dumps(manifest, indent=1))


def update_lists():
    as_root = [] if os.geteuid() == 0 else ["sudo"]
    run(*as_root, "apt-get", "-qq", "update")


def run(*command, **options):
    """A command's output; an error with what it said if it fails."""
    try:
        result = subprocess.run(command, text=True, capture_output="stdin" not in options,
                                check=False, **options)
    except FileNotFoundError as error:
        raise LabError(f"there is no program {error.filename}") from None
    if result.returncode != 0:
        words = " ".join(str(word) for word in command)
        raise LabError(f"{words} failed\n{(result.stderr or '').strip()}")
    return result.stdout
