//! What a supervisor is to be, as a caller words it.

use std::time::Duration;

use super::{
    answer::Failure,
    params::{Child, RestartName, StartSupervisor, StrategyName},
};
use crate::{
    node::{ChildSpec, CommandError, Restart, Settings, Strategy},
    wire::NodeName,
};

/// The settings of `supervisor.start`.
///
/// # Errors
/// -32602 for a number of templates other than one, -32008 for a node that cannot be one.
pub(crate) fn settings(params: StartSupervisor) -> Result<Settings, Failure> {
    let StartSupervisor { strategy, max_restarts, max_seconds, children } = params;
    let strategy = match strategy {
        StrategyName::OneForOne => Strategy::OneForOne,
        StrategyName::OneForAll => Strategy::OneForAll,
        StrategyName::RestForOne => Strategy::RestForOne,
        StrategyName::SimpleOneForOne if children.len() != 1 => {
            return Err(Failure::invalid_params("simple_one_for_one has one child, its template"));
        }
        StrategyName::SimpleOneForOne => Strategy::SimpleOneForOne,
    };
    Ok(Settings {
        strategy,
        max_restarts: usize::try_from(max_restarts).unwrap_or(usize::MAX),
        period: Duration::from_secs(max_seconds),
        children: children.into_iter().map(child).collect::<Result<_, _>>()?,
    })
}

fn child(Child { id, function, args, restart, node }: Child) -> Result<ChildSpec, Failure> {
    let restart = match restart {
        RestartName::Permanent => Restart::Permanent,
        RestartName::Transient => Restart::Transient,
        RestartName::Temporary => Restart::Temporary,
    };
    let node = node.map(|name| NodeName::parse(&name).map_err(|_| CommandError::NotConnected(name)));
    Ok(ChildSpec { id, function, args, restart, node: node.transpose()? })
}
