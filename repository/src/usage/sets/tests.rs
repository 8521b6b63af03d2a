use super::*;
use proptest::prelude::*;
use std::collections::BTreeSet;

proptest! {
    #[test]
    fn the_sums_are_those_of_plain_sets(
        objects in prop::collection::vec((prop::collection::vec(0..7u32, 0..5), 0..100u64), 0..30),
        dropped in prop::collection::btree_set(0..8u32, 0..8),
    ) {
        let mut sets = Sets::default();
        let ids: Vec<SetId> = objects
            .iter()
            .map(|(numbers, _)| {
                numbers.iter().fold(SetId::EMPTY, |set, number| {
                    let one = sets.one(*number);
                    sets.union(set, one)
                })
            })
            .collect();
        let mut space = Space::new(&sets);
        for (id, (numbers, bytes)) in ids.iter().zip(&objects) {
            prop_assert_eq!(space.add(*id, *bytes), !numbers.is_empty());
        }
        let space = space.finish(&sets);
        let model: Vec<(BTreeSet<u32>, u64)> =
            objects.iter().map(|(numbers, bytes)| (numbers.iter().copied().collect(), *bytes)).collect();
        let sum = |of: &dyn Fn(&BTreeSet<u32>) -> bool| -> u64 {
            model.iter().filter(|(numbers, _)| !numbers.is_empty() && of(numbers)).map(|(_, bytes)| bytes).sum()
        };
        for number in 0..8 {
            let alone = BTreeSet::from([number]);
            prop_assert_eq!(space.of(number), (sum(&|numbers| numbers.contains(&number)), sum(&|numbers| *numbers == alone)));
        }
        prop_assert_eq!(space.only_in(dropped.iter().copied()), sum(&|numbers| numbers.is_subset(&dropped)));
        // Equal sets are one set, however they came about.
        for (one, (numbers, _)) in ids.iter().zip(&model) {
            for (other, (others, _)) in ids.iter().zip(&model) {
                prop_assert_eq!(one == other, numbers == others);
            }
        }
    }
}
