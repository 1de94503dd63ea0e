//! Files and folders that are moved, removed, replaced or cut while the gateway runs: no row is acknowledged into a file that
//! is not where readers look for it.

use super::*;

fn refused(result: Result<Appended, LedgerError>) {
    assert!(matches!(result, Err(LedgerError::NotWritten(std::io::ErrorKind::NotFound))), "{result:?}");
}

async fn one(ledger: &Ledger, receipt: u64) -> Result<Appended, LedgerError> {
    ledger.append(entry(receipt, NOW + receipt as i64)).await
}

/// Numbers of the rows that stand in the files.
fn seqs(home: &Home) -> Vec<u64> {
    assert_eq!(home.damaged(), 0);
    home.rows().0.iter().map(|row| row.seq).collect()
}

fn missing(home: &Home) -> Vec<String> {
    home.findings().into_iter().map(|finding| format!("{} {}", finding.kind.word(), finding.what)).collect()
}

#[tokio::test]
async fn rule_p3_no_row_is_acknowledged_into_a_file_that_was_moved_or_removed() {
    for is_moved in [true, false] {
        let home = Home::new();
        let (ledger, _) = home.opened();
        append(&ledger, 1..=3).await;
        let mut place = Place::default();
        assert_eq!(ledger.rows_after(0, 100, &mut place).unwrap().len(), 3);
        let away = home.path().join("away");
        match is_moved {
            true => fs::rename(home.segment("2026-11"), &away).unwrap(),
            false => fs::remove_file(home.segment("2026-11")).unwrap(),
        }
        refused(one(&ledger, 4).await);
        // The file is made anew, and the chain goes on visibly: what is missing is named.
        assert_eq!(one(&ledger, 5).await.unwrap().seq, 4);
        assert_eq!((seqs(&home), missing(&home)), (vec![4], vec!["removed rows 1 to 3 are missing, 3 of them".into()]));
        // Who reads on where it stopped finds the new rows.
        assert_eq!(ledger.rows_after(3, 100, &mut place).unwrap().len(), 1);
        if is_moved {
            // Back again, and what was written meanwhile behind it.
            let meanwhile = fs::read(home.segment("2026-11")).unwrap();
            let whole = [fs::read(&away).unwrap(), meanwhile].concat();
            fs::write(&away, whole).unwrap();
            fs::rename(&away, home.segment("2026-11")).unwrap();
            refused(one(&ledger, 6).await);
            assert_eq!(one(&ledger, 7).await.unwrap().seq, 5);
            assert_eq!((seqs(&home), missing(&home)), (vec![1, 2, 3, 4, 5], vec![]));
            assert_eq!(ledger.rows_after(4, 100, &mut place).unwrap().len(), 1);
        }
    }
}

#[tokio::test]
async fn rule_p3_no_row_is_acknowledged_while_the_folder_is_gone_or_another() {
    let home = Home::new();
    let (ledger, _) = home.opened();
    append(&ledger, 1..=2).await;
    let away = home.dir.path().join("away");
    fs::rename(home.path(), &away).unwrap();
    for receipt in 3..=4 {
        refused(one(&ledger, receipt).await);
    }
    assert!(!home.path().exists(), "no new ledger is made");
    // A copy is not the folder that is held.
    fs::create_dir(home.path()).unwrap();
    for name in ["2026-11.jsonl", "chain", "head"] {
        fs::hard_link(away.join(name), home.path().join(name)).unwrap();
    }
    let before = fs::read(away.join("2026-11.jsonl")).unwrap();
    for receipt in 5..=6 {
        refused(one(&ledger, receipt).await);
    }
    assert!(ledger.note_shipped(2).is_err());
    // Another month is not begun there either.
    refused(ledger.append(entry(7, NOW + 20 * DAY)).await);
    assert_eq!(fs::read_dir(home.path()).unwrap().count(), 3);
    assert_eq!(fs::read(away.join("2026-11.jsonl")).unwrap(), before);
    fs::remove_dir_all(home.path()).unwrap();
    fs::rename(&away, home.path()).unwrap();
    assert_eq!(append(&ledger, 8..=8).await[0].seq, 3);
    assert_eq!((seqs(&home), missing(&home)), (vec![1, 2, 3], vec![]));
}

#[tokio::test]
async fn rule_p3_a_file_that_was_cut_is_continued_at_its_real_end() {
    let home = Home::new();
    let (ledger, _) = home.opened();
    append(&ledger, 1..=4).await;
    let text = fs::read_to_string(home.segment("2026-11")).unwrap();
    let two: usize = text.lines().take(2).map(|line| line.len() + 1).sum();
    // In place, in the middle of the third row.
    fs::File::options().write(true).open(home.segment("2026-11")).unwrap().set_len(two as u64 + 40).unwrap();
    refused(one(&ledger, 5).await);
    assert_eq!(one(&ledger, 6).await.unwrap().seq, 5);
    let now = fs::read_to_string(home.segment("2026-11")).unwrap();
    assert!(now.starts_with(&text[..two]) && !now.contains('\0'), "{now}");
    assert_eq!(
        (seqs(&home), missing(&home)),
        (vec![1, 2, 5], vec!["removed rows 3 to 4 are missing, 2 of them".into()])
    );
}

#[tokio::test]
async fn what_is_moved_away_between_the_write_and_the_answer_is_not_acknowledged_and_leaves_nothing() {
    let home = Home::new();
    let (ledger, _) = home.opened();
    append(&ledger, 1..=2).await;
    let (from, to) = (home.segment("2026-11"), home.path().join("away"));
    let before = fs::read(&from).unwrap();
    let (at, away) = (from.clone(), to.clone());
    ledger.faults().next_sync_is_followed_by(move || fs::rename(at, away).unwrap());
    refused(one(&ledger, 3).await);
    assert_eq!(fs::read(&to).unwrap(), before);
    fs::rename(&to, &from).unwrap();
    // Cut while it is written: it is not made longer again.
    let at = from.clone();
    ledger.faults().next_sync_is_followed_by(move || {
        fs::File::options().write(true).open(at).unwrap().set_len(0).unwrap();
    });
    assert_eq!(one(&ledger, 4).await.map(|done| done.seq).ok(), None);
    assert_eq!(fs::read(&from).unwrap(), b"");
    assert_eq!(append(&ledger, 5..=5).await[0].seq, 3);
    assert_eq!((seqs(&home), home.damaged()), (vec![3], 0));
}
