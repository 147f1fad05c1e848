//! Cases: scenarios by rows and vectors, each with what is needed to select, run and report it.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::delivery::{Delivery, DeliveryCase};
use crate::matrix::MatrixCase;
use crate::requirement::{Level, Spec};
use crate::scenario::load::Loaded;
use crate::schema::Schema;
use crate::vectors::Unresolved;

/// One thing to judge.
#[derive(Debug, Clone)]
pub struct Case {
    /// `<family>/<slug>`, with `[row]` where a table made it; vectors are `<family>/vectors/<slug>`.
    pub id: String,
    /// One sentence: stimulus and verdict.
    pub title: String,
    /// The family.
    pub family: String,
    /// MUST if any of its requirements is one.
    pub level: Level,
    /// The requirements that it judges; never none.
    pub requirements: Vec<String>,
    /// Capabilities without which it is skipped.
    pub needs: Vec<String>,
    /// The case that shows the same thing accepted.
    pub twin: Option<String>,
    /// Whether it belongs to the slow set.
    pub slow: bool,
    /// What to run.
    pub kind: Kind,
}

/// Which cases a run takes of those that its filters select.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CaseSet {
    /// Those that are not slow: two minutes for a good node.
    #[default]
    Quick,
    /// Those whose scenario says `slow: true`: ten minutes.
    Slow,
    /// Both.
    All,
}

/// What a case consists of.
#[derive(Debug, Clone)]
pub enum Kind {
    /// A scenario, and the row of its table.
    Scenario(Arc<Loaded>, Option<usize>),
    /// A golden vector.
    Vector(Unresolved),
    /// A part of the matrix of states and inputs.
    Matrix(Arc<MatrixCase>),
    /// Vectors under a schedule of delivery.
    Delivery(Arc<DeliveryCase>),
}

/// MUST if any of these requirements is one.
#[must_use]
pub fn level_of(spec: &Spec, requirements: &[String]) -> Level {
    let is_must = |id: &String| spec.requirements.get(id).is_none_or(|requirement| requirement.level == Level::Must);
    if requirements.iter().any(is_must) { Level::Must } else { Level::Should }
}

impl Case {
    /// The cases of one scenario file.
    #[must_use]
    pub fn of_scenario(spec: &Spec, schema: &Schema, loaded: Loaded) -> Vec<Self> {
        let loaded = Arc::new(loaded);
        let scenario = &loaded.scenario;
        let make = |row: Option<usize>| {
            let suffix = row.map_or_else(String::new, |row| format!("[{}]", scenario.table[row].case));
            Self {
                id: format!("{}{suffix}", loaded.id),
                title: scenario.title.clone(),
                family: loaded.family.clone(),
                level: level_of(spec, &scenario.requirements),
                requirements: scenario.requirements.clone(),
                needs: crate::needs::of(schema, scenario, row.map(|row| &scenario.table[row])),
                twin: scenario.twin.clone(),
                slow: scenario.slow,
                kind: Kind::Scenario(loaded.clone(), row),
            }
        };
        if scenario.table.is_empty() {
            vec![make(None)]
        } else {
            (0..scenario.table.len()).map(|row| make(Some(row))).collect()
        }
    }

    /// The same scenario with another value of one of its row's variables, as a case `<scenario>[<variable>-<value>]`. `None` where its row does
    /// not have that variable.
    #[must_use]
    pub fn with_variable(&self, name: &str, value: u64) -> Option<Self> {
        let Kind::Scenario(loaded, Some(row)) = &self.kind else { return None };
        let mut loaded = Loaded::clone(loaded);
        let mut row = loaded.scenario.table.swap_remove(*row);
        *row.variables.get_mut(name)? = value.into();
        row.case = format!("{name}-{value}");
        let id = format!("{}[{}]", loaded.id, row.case);
        loaded.scenario.table = vec![row];
        Some(Self { id, kind: Kind::Scenario(Arc::new(loaded), Some(0)), ..self.clone() })
    }

    /// The case of one golden vector; it needs a node's codec, or what it has for terms.
    #[must_use]
    pub fn of_vector(spec: &Spec, vector: Unresolved) -> Self {
        let (family, slug) = vector.id().split_once('/').unwrap_or(("vectors", vector.id()));
        let capability = if vector.is_term() { "term" } else { "codec" };
        Self {
            id: format!("{family}/vectors/{slug}"),
            title: vector.note().unwrap_or("The node's codec agrees with this vector").to_owned(),
            family: family.to_owned(),
            level: level_of(spec, vector.requirements()),
            requirements: vector.requirements().to_vec(),
            needs: vec!["control".to_owned(), capability.to_owned()],
            twin: None,
            slow: false,
            kind: Kind::Vector(vector),
        }
    }

    /// A case of the matrix. Every node has to endure what it is sent, whatever it can do (FRAME-17).
    #[must_use]
    pub fn of_matrix(spec: &Spec, matrix: MatrixCase) -> Self {
        let requirements = matrix.requirements();
        Self {
            id: matrix.id.clone(),
            title: matrix.title(),
            family: "resilience".to_owned(),
            level: level_of(spec, &requirements),
            requirements,
            needs: Vec::new(),
            twin: None,
            slow: false,
            kind: Kind::Matrix(Arc::new(matrix)),
        }
    }

    /// A case of delivery. Its vectors are sent to nodes that may not know what to do with them, and have to be endured.
    #[must_use]
    pub fn of_delivery(spec: &Spec, delivery: DeliveryCase) -> Self {
        let requirements = vec![delivery.delivery.requirement().to_owned()];
        Self {
            id: delivery.id.clone(),
            title: delivery.title(),
            family: "resilience".to_owned(),
            level: level_of(spec, &requirements),
            requirements,
            needs: Vec::new(),
            twin: None,
            slow: false,
            kind: Kind::Delivery(Arc::new(delivery)),
        }
    }

    /// A case of the matrix with one of its inputs alone, where a filter asks for that: `<id>[<input>]`.
    #[must_use]
    pub fn alone(&self, spec: &Spec, filter: &str) -> Option<Self> {
        let Kind::Matrix(matrix) = &self.kind else { return None };
        let input = filter.strip_prefix(&self.id)?.strip_prefix('[')?.strip_suffix(']')?;
        Some(Self::of_matrix(spec, matrix.alone(input)?))
    }

    /// Whether a filter of the command line selects this case: a part of its id, or one of its requirements.
    #[must_use]
    pub fn matches(&self, filter: &str) -> bool {
        self.id.contains(filter) || self.requirements.iter().any(|id| id == filter)
    }

    /// Whether a run of that set, with these filters, takes this case. One that is named in full is taken whatever the set.
    #[must_use]
    pub fn is_in(&self, set: CaseSet, filters: &[String]) -> bool {
        let in_set = match set {
            CaseSet::Quick => !self.slow,
            CaseSet::Slow => self.slow,
            CaseSet::All => true,
        };
        in_set || filters.iter().any(|filter| self.id == *filter || self.id.split('[').next() == Some(filter))
    }

    /// The keys of the nodes that its scenario names, in its order; none for vectors and the like, which have one node.
    #[must_use]
    pub fn nodes(&self) -> Vec<&str> {
        match &self.kind {
            Kind::Scenario(loaded, _) => loaded.scenario.nodes.keys().map(String::as_str).collect(),
            Kind::Vector(_) | Kind::Matrix(_) | Kind::Delivery(_) => Vec::new(),
        }
    }

    /// Whether it waits for timers: such cases are started first, so that the others fill their waiting.
    #[must_use]
    pub fn waits(&self) -> bool {
        match &self.kind {
            Kind::Scenario(loaded, _) => {
                loaded.scenario.timers != crate::scenario::Timers::default() || loaded.scenario.deadline_ms.is_some()
            }
            Kind::Delivery(delivery) => delivery.delivery == Delivery::Segments,
            Kind::Vector(_) | Kind::Matrix(_) => false,
        }
    }
}
