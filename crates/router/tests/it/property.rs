//! Whatever is lost, late or doubled on the way in, and however the programme jumps: what leaves is
//! one continuous stream per slot.

use proptest::prelude::*;

use crate::world::*;

/// A publisher's path: holds packets back, loses and doubles them.
#[derive(Debug, Default)]
struct Path {
    held: Vec<(u64, usize, Vec<u8>)>,
}

#[derive(Clone, Debug)]
struct Step {
    fates: Vec<u8>,
    is_key: [bool; 2],
    packets: [u8; 2],
    cut_to: Option<u8>,
    ask: bool,
    level: u8,
}

fn step() -> impl Strategy<Value = Step> {
    (
        prop::collection::vec(any::<u8>(), 24),
        [prop::bool::weighted(0.15), prop::bool::weighted(0.15)],
        [1u8..6, 1u8..6],
        prop::option::weighted(0.15, 0u8..4),
        prop::bool::weighted(0.1),
        any::<u8>(),
    )
        .prop_map(|(fates, is_key, packets, cut_to, ask, level)| Step {
            fates,
            is_key,
            packets,
            cut_to,
            ask,
            level,
        })
}

impl Path {
    /// Sends packets on, each with its fate: mostly now, some later, some twice, some never.
    fn send(
        &mut self,
        now: u64,
        from: usize,
        packets: Vec<Vec<u8>>,
        fates: &mut impl Iterator<Item = u8>,
    ) {
        for packet in packets {
            match fates.next().unwrap_or(255) {
                0..=12 => {}
                13..=30 => self.held.push((now + 35, from, packet)),
                31..=44 => {
                    self.held.push((now, from, packet.clone()));
                    self.held.push((now + 15, from, packet));
                }
                45..=50 => self.held.push((now + 400, from, packet)),
                _ => self.held.push((now, from, packet)),
            }
        }
    }

    fn arrive(&mut self, world: &mut World) {
        let now = world.now.as_millis();
        let (due, later): (Vec<_>, Vec<_>) = std::mem::take(&mut self.held)
            .into_iter()
            .partition(|(at, ..)| *at <= now);
        self.held = later;
        for (_, from, packet) in due {
            let _is_taken = world.deliver(from, &packet).is_ok();
        }
    }
}

fn run(steps: &[Step]) -> (World, usize, usize) {
    let mut world = World::new(1);
    let (ann, bob) = (world.join(2), world.join(1));
    let me = world.listen();
    let mut path = Path::default();
    for step in steps {
        world.run_ms(33);
        let now = world.now.as_millis();
        let mut fates = step.fates.iter().copied();
        for (at, from) in [(0, ann), (1, bob)] {
            let frame = world.make_frame(from, 0, step.is_key[at], step.packets[at]);
            path.send(now, from, frame, &mut fates);
            let voice =
                world.make_voice(from, step.level.rotate_left(u32::try_from(at).unwrap() * 3));
            path.send(now, from, vec![voice], &mut fates);
        }
        let upper = world.make_frame(ann, 1, step.is_key[1], step.packets[1]);
        path.send(now, ann, upper, &mut fates);
        path.arrive(&mut world);
        match step.cut_to {
            Some(0) => world.programme(None),
            Some(1) => world.programme(Some(ann)),
            Some(_) => world.programme(Some(bob)),
            None => {}
        }
        if step.ask {
            nack_recent(&mut world, me);
        }
    }
    (world, ann, me)
}

/// Asks again for the last packets of the main picture.
fn nack_recent(world: &mut World, me: usize) {
    let Some(last) = world.got(me, MAIN).last() else {
        return;
    };
    let seq = last.header.sequence_number.0;
    let lost = (0..40u16)
        .rev()
        .map(|back| estrade_types::SeqNo(seq.wrapping_sub(back)));
    let mut buf = [0; 256];
    let mut writer = estrade_rtp::rtcp::Writer::new(&mut buf);
    writer
        .nack(estrade_types::Ssrc(1), estrade_types::Ssrc(0x1003), lost)
        .unwrap();
    let nack = writer.written().to_vec();
    world.rtcp(me, &nack);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn a_slot_is_one_continuous_stream_whatever_happens(
        steps in prop::collection::vec(step(), 20..150),
    ) {
        let (world, ann, me) = run(&steps);
        // `Sent` itself refuses an index that is used twice.
        check_stream(world.got(me, MAIN));
        check_stream(world.got(me, 0));
        check_stream(world.got(ann, MAIN));
        // Every retransmission says what the packet of that number said.
        for again in world.got_rtx(me, MAIN) {
            let osn = u16::from_be_bytes([again.payload[0], again.payload[1]]);
            let original = world
                .got(me, MAIN)
                .iter()
                .rfind(|got| got.header.sequence_number.0 == osn);
            if let Some(original) = original {
                prop_assert_eq!(&again.payload[2..], &original.payload[..]);
                prop_assert_eq!(again.header.timestamp, original.header.timestamp);
            }
        }
        // Picture ids never run ahead of the packets: one step per frame, none back.
        prop_assert!(world.got(me, MAIN).iter().all(|got| got.tag().is_some()));
    }
}
