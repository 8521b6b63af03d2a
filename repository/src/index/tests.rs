use super::*;
use crate::names::{Generation, SessionId};
use object_store::memory::InMemory;
use std::collections::BTreeMap;
use std::sync::Arc;

fn row(label: String) -> SnapshotSummary {
    let session: SessionId = format!("0.{}", "a".repeat(32)).parse().unwrap();
    SnapshotSummary::sample(label, session)
}

struct Tree {
    objects: Objects,
    root: Option<PageRef>,
    generation: u64,
}

impl Tree {
    /// Changes the row of a label; gives the number of pages written.
    async fn change(&mut self, label: &str, put: bool) -> usize {
        let branch = branch(&self.objects, self.root.as_ref(), label).await.unwrap();
        let mut rows: BTreeMap<_, _> = branch.rows.iter().map(|row| (row.label.clone(), row.clone())).collect();
        assert_eq!(rows.contains_key(label), !put);
        if put {
            rows.insert(label.to_owned(), row(label.to_owned()));
        } else {
            rows.remove(label);
        }
        self.generation += 1;
        let owner = Owner { generation: Generation(self.generation), token: "b".repeat(32) };
        let rows: Vec<_> = rows.into_values().collect();
        let rewritten = branch.with_rows(&rows, &owner).unwrap();
        for (page, bytes) in &rewritten.pages {
            self.objects.put_own(&page.name, bytes.clone().into()).await.unwrap();
        }
        self.root = rewritten.root;
        rewritten.pages.len()
    }

    async fn labels(&self) -> Vec<String> {
        let rows = scan(&self.objects, self.root.as_ref(), &mut BTreeSet::new()).await.unwrap();
        rows.into_iter().map(|row| row.label).collect()
    }
}

#[tokio::test]
async fn the_tree_is_a_sorted_map_and_a_change_rewrites_few_pages() {
    let mut rng = fastrand::Rng::with_seed(5);
    let mut tree = Tree { objects: Objects::new(Arc::new(InMemory::new())), root: None, generation: 0 };
    let mut model = BTreeSet::new();
    for round in 0..3000u32 {
        let label = format!("{:05}", rng.u32(0..4000));
        let put = !model.contains(&label);
        // Grows, then shrinks.
        if put && round > 1800 {
            continue;
        }
        let written = tree.change(&label, put).await;
        assert!(written <= 5, "{written} pages for one change");
        if put {
            model.insert(label);
        } else {
            model.remove(&label);
        }
        if round % 500 == 0 {
            assert!(tree.labels().await.iter().eq(&model));
        }
    }
    for label in model.clone() {
        tree.change(&label, false).await;
    }
    assert_eq!(tree.root, None);
}

#[tokio::test]
async fn growth_at_the_end_leaves_full_pages() {
    let mut tree = Tree { objects: Objects::new(Arc::new(InMemory::new())), root: None, generation: 0 };
    for number in 0..1100 {
        tree.change(&format!("{number:05}"), true).await;
    }
    let mut seen = BTreeSet::new();
    assert_eq!(scan(&tree.objects, tree.root.as_ref(), &mut seen).await.unwrap().len(), 1100);
    assert_eq!(seen.len(), 1 + 1100usize.div_ceil(FANOUT_MAX));
    // What was seen is not read again.
    assert_eq!(scan(&tree.objects, tree.root.as_ref(), &mut seen).await.unwrap().len(), 0);
}
