//! Whether the search tree of a database is whole (<https://maxmind.github.io/MaxMind-DB/>): a download that was taken up
//! again in the wrong place leaves holes of zeros, with which everything else of the file still looks right.

/// Between the tree and the data.
const SEPARATOR: usize = 16;

/// Looks over every record of the tree: each leads to another node, to nothing, or to data that begin as those of a place do.
pub fn check(file: &[u8], node_count: usize, record_size: u16) -> Result<(), &'static str> {
    let node_size = match record_size {
        24 | 28 | 32 => record_size as usize / 4,
        _ => return Err("the size of its records is unknown"),
    };
    let tree_size = node_count.checked_mul(node_size).ok_or("its tree has no end")?;
    let tree = file.get(..tree_size).ok_or("its tree is cut short")?;
    let data = file.get(tree_size + SEPARATOR..).ok_or("its data are missing")?;
    // Millions of records at each start: written plainly, so that it is quick in a build without optimisation too.
    for node in tree.chunks_exact(node_size) {
        for record in records(node) {
            let record = record as usize;
            if record == 0 {
                return Err("a branch of its tree leads back to the root");
            }
            // `node_count` itself stands for nothing; the separator is counted as if it were data.
            if record > node_count && !begins_a_map(data, record - node_count) {
                return Err("a branch of its tree leads to no place");
            }
        }
    }
    Ok(())
}

/// The two records of a node.
fn records(node: &[u8]) -> [u32; 2] {
    let number = |a, b, c, d| u32::from_be_bytes([a, b, c, d]);
    match *node {
        [a, b, c, d, e, f] => [number(0, a, b, c), number(0, d, e, f)],
        [a, b, c, high, d, e, f] => [number(high >> 4, a, b, c), number(high & 15, d, e, f)],
        [a, b, c, d, e, f, g, h] => [number(a, b, c, d), number(e, f, g, h)],
        _ => [0, 0],
    }
}

fn begins_a_map(data: &[u8], beyond: usize) -> bool {
    beyond >= SEPARATOR && beyond - SEPARATOR < data.len() && is_map(data[beyond - SEPARATOR])
}

/// Whether a value that begins so is an object, or a pointer to one.
fn is_map(control: u8) -> bool {
    matches!(control >> 5, 7 | 1)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_records_of_each_size_are_read() {
        assert_eq!(records(&[1, 2, 3, 4, 5, 6]), [0x01_0203, 0x04_0506]);
        assert_eq!(records(&[1, 2, 3, 0xab, 4, 5, 6]), [0x0a01_0203, 0x0b04_0506]);
        assert_eq!(records(&[1, 2, 3, 4, 5, 6, 7, 8]), [0x0102_0304, 0x0506_0708]);
    }

    #[test]
    fn a_tree_with_a_hole_is_not_whole() {
        // One node: nothing on one side, data on the other.
        let file = |left: u8, right: u8, data: &[u8]| [&[0, 0, left, 0, 0, right][..], &[0; 16], data].concat();
        assert_eq!(check(&file(1, 17, &[0xe0]), 1, 24), Ok(()));
        assert!(check(&file(0, 17, &[0xe0]), 1, 24).is_err(), "a hole in the tree");
        assert!(check(&file(1, 17, &[0]), 1, 24).is_err(), "a hole in the data");
        assert!(check(&file(1, 18, &[0xe0]), 1, 24).is_err(), "data beyond the end");
        assert!(check(&file(1, 2, &[0xe0]), 1, 24).is_err(), "the separator is no place");
        assert!(check(&file(1, 17, &[0xe0]), 1, 23).is_err());
        assert!(check(&file(1, 17, &[0xe0]), usize::MAX, 32).is_err());
    }

    proptest! {
        #[test]
        fn any_bytes_are_looked_over(file in prop::collection::vec(any::<u8>(), 0..200), count in 0usize..30, size in prop::sample::select(vec![24u16, 28, 32, 0])) {
            let _ = check(&file, count, size);
        }
    }
}
