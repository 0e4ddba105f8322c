"""The kernel's values and containers over a backend: members by path, lists, red-black trees, xarrays, texts."""

from lab.oracle.backend import Backend, Fault, Field

LIST_MAX = 10_000_000
TREE_MAX = 1_000_000
TEXT_MAX = 4096
PAGE = 4096
U64 = (1 << 64) - 1


class Kernel:
    """Reads little-endian numbers at addresses and members."""

    def __init__(self, backend: Backend):
        self.backend = backend
        self.fields: dict[str, Field | None] = {}
        self.page_offset_base = self.variable("page_offset_base")
        self.vmemmap_base = self.variable("vmemmap_base")
        self.page_size = backend.size_of("page")

    def find(self, path: str) -> Field | None:
        if path not in self.fields:
            self.fields[path] = self.backend.field(path)
        return self.fields[path]

    def field(self, path: str) -> Field:
        found = self.find(path)
        if not found:
            raise Fault(f"there is no {path}")
        return found

    def first_of(self, *paths: str) -> str:
        """The path that this kernel has."""
        return next(path for path in paths if self.find(path))

    def number(self, address: int, size: int = 8, signed: bool = False) -> int:
        return int.from_bytes(self.backend.read(address, size), "little", signed=signed)

    def get(self, address: int, path: str, signed: bool = False) -> int:
        """The value of a member of the struct at `address`; a pointer is its value."""
        field = self.field(path)
        value = self.number(address + field.offset, field.size, signed)
        return value >> field.bit_offset & ((1 << field.bit_size) - 1) if field.bit_size else value

    def at(self, address: int, path: str) -> int:
        """The address of a member of the struct at `address`."""
        return address + self.field(path).offset

    def offset(self, path: str) -> int:
        return self.field(path).offset

    def variable(self, name: str, size: int = 8) -> int:
        return self.number(self.address_of(name), size)

    def address_of(self, name: str) -> int:
        address = self.backend.symbol(name)
        if address is None:
            raise Fault(f"there is no symbol {name}")
        return address

    def has_symbol(self, name: str) -> bool:
        return self.backend.symbol(name) is not None

    def text(self, address: int, size: int = TEXT_MAX) -> str:
        """A text that ends with a zero byte or after `size` bytes."""
        parts = b""
        while b"\0" not in parts and len(parts) < size:
            count = min(PAGE - (address + len(parts)) % PAGE, size - len(parts))
            parts += self.backend.read(address + len(parts), count)
        return parts.split(b"\0")[0].decode()

    def table(self, virtual_address: int) -> list[int]:
        """The 512 entries of a page table."""
        data = self.backend.read(virtual_address, PAGE)
        return list(memoryview(data).cast("Q"))

    def list_of(self, head: int, path: str):
        """The structs whose list_head `path` is on the list; a head of zeros is an empty list never initialised."""
        offset = self.offset(path)
        link = self.number(head)
        if link == 0:
            return
        for _ in range(LIST_MAX):
            if link == head:
                return
            yield link - offset
            link = self.number(link)
        raise Fault(f"the list at {head:#x} does not end")

    def tree_nodes(self, root: int):
        """The nodes of the rb_root at `root` in order."""
        node, stack = self.get(root, "rb_root.rb_node"), []
        for _ in range(TREE_MAX):
            while node:
                stack.append(node)
                node = self.get(node, "rb_node.rb_left")
                if len(stack) > 128:
                    raise Fault(f"the tree at {root:#x} is too deep")
            if not stack:
                return
            node = stack.pop()
            yield node
            node = self.get(node, "rb_node.rb_right")
        raise Fault(f"the tree at {root:#x} does not end")

    def xarray_entry(self, xarray: int, index: int) -> int:
        """What is stored at an index, 0 if nothing."""
        entry = self.get(xarray, "xarray.xa_head")
        if entry & 3 != 2 or entry <= 4096:
            return entry if index == 0 else 0
        slots = self.field("xa_node.slots")
        width = slots.size // 8
        shift = self.get(entry - 2, "xa_node.shift")
        if index >> shift >= width:
            return 0
        while entry & 3 == 2 and entry > 4096:
            shift = self.get(entry - 2, "xa_node.shift")
            entry = self.number(entry - 2 + slots.offset + 8 * (index >> shift & (width - 1)))
            if shift == 0:
                break
        return 0 if entry & 3 == 2 else entry

    def physical_of_direct(self, address: int) -> int:
        return address - self.page_offset_base

    def direct(self, physical: int) -> int:
        return physical + self.page_offset_base

    def page_private(self, physical: int) -> int:
        page = self.vmemmap_base + (physical >> 12) * self.page_size
        return self.get(page, "page.private")
