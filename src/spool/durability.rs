//! What an acknowledgement waits for.

/// What an acknowledged record survives.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Durability {
    /// The death of the process: it was given to the kernel by `write(2)`.
    #[default]
    Write,
    /// The loss of power too: its segment was synced by `fdatasync(2)`, and the segment's name with the folder.
    Power,
}
