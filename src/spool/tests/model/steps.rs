//! What happens to the spool, at random.

use std::io::ErrorKind;

use proptest::prelude::*;

use super::*;

#[derive(Clone, Debug)]
enum Step {
    Append {
        partition: u8,
        len: usize,
        acknowledged: bool,
    },
    Write,
    Seal,
    Flush,
    Take,
    GiveBack,
    Acknowledge,
    Reject,
    Stop(bool),
    /// The process ends, or the power; the next start may be hit too.
    Crash(Crash, Option<(u32, Fault, u32)>),
    /// A fault some operations from now. Should it kill: whether the power goes with it.
    Fault(u32, Fault, u32, Crash),
    /// The writer believes in the disk again.
    Heal,
}

fn fault() -> impl Strategy<Value = Fault> {
    let kind = prop_oneof![Just(ErrorKind::StorageFull), Just(ErrorKind::Other)];
    prop_oneof![
        3 => kind.clone().prop_map(Fault::Refuse),
        3 => kind.prop_map(Fault::Half),
        2 => Just(Fault::Kill),
    ]
}

fn crash() -> impl Strategy<Value = Crash> {
    prop_oneof![Just(Crash::Killed), Just(Crash::PowerLost)]
}

fn step() -> impl Strategy<Value = Step> {
    let at_start = proptest::option::weighted(0.3, (0u32..16, fault(), 1u32..4));
    prop_oneof![
        12 => (0u8..3, 1usize..60, any::<bool>())
            .prop_map(|(partition, len, acknowledged)| Step::Append { partition, len, acknowledged }),
        4 => Just(Step::Write),
        3 => Just(Step::Seal),
        3 => Just(Step::Flush),
        4 => Just(Step::Take),
        1 => Just(Step::GiveBack),
        2 => Just(Step::Acknowledge),
        1 => Just(Step::Reject),
        1 => any::<bool>().prop_map(Step::Stop),
        2 => (crash(), at_start).prop_map(|(how, then)| Step::Crash(how, then)),
        3 => (0u32..12, fault(), 1u32..4, crash()).prop_map(|(skip, fault, times, how)| Step::Fault(skip, fault, times, how)),
        2 => Just(Step::Heal),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { max_shrink_iters: 20_000, ..ProptestConfig::default() })]

    #[test]
    fn what_is_promised_holds_through_every_fault_and_crash(
        seed in any::<u64>(),
        durability in prop_oneof![Just(Durability::Write), Just(Durability::Power)],
        steps in proptest::collection::vec(step(), 1..80),
    ) {
        let mut beside = Beside::new(seed, durability);
        let mut with_it = Crash::Killed;
        for step in steps {
            match step {
                Step::Append { partition, len, acknowledged } => beside.append(partition, len, acknowledged),
                Step::Write => beside.write(Cranked::write),
                Step::Seal => beside.spool().seal(),
                Step::Flush => beside.flush(),
                Step::Take => drop(beside.take()),
                Step::GiveBack => drop(beside.hand.pop()),
                Step::Acknowledge => {
                    if let Some(batch) = beside.hand.pop() {
                        beside.acknowledge(&batch);
                    }
                }
                Step::Reject => {
                    if let Some(batch) = beside.hand.pop() {
                        beside.reject(&batch, Rejection::Data("code 53".into()));
                    }
                }
                Step::Stop(close) => {
                    let mut sealed = false;
                    beside.write(|spool| sealed = spool.stop(if close { Stop::Close } else { Stop::Leave }));
                    beside.crash(Crash::Killed, None);
                }
                Step::Crash(how, then) => beside.crash(how, then),
                Step::Fault(skip, fault, times, how) => {
                    beside.disk.fail(skip, fault, times);
                    with_it = how;
                }
                Step::Heal => beside.spool().end_pause(),
            }
            if beside.disk.is_dead() {
                beside.crash(with_it, None);
            }
        }
        beside.come_out();
    }
}
