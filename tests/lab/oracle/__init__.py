"""An independent reader of KVM's MMU in a QEMU ELF vmcore: the product's records, computed without its code."""
