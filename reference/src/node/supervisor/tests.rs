//! The supervisor alone: processes are numbers, and what it wants is read as words.

use super::*;

const PERIOD: Duration = Duration::from_secs(10);

fn node(name: &str) -> NodeName {
    NodeName::parse(name).unwrap()
}

/// A child of id `id`; `at` is a node's name or nothing.
fn child(id: &str, restart: Restart, at: &str) -> ChildSpec {
    let node = (!at.is_empty()).then(|| node(at));
    ChildSpec { id: id.into(), function: "f".into(), args: b"args".to_vec(), restart, node }
}

fn permanent(ids: &[&str]) -> Vec<ChildSpec> {
    ids.iter().map(|id| child(id, Restart::Permanent, "")).collect()
}

/// A supervisor and the world that it wants things of.
struct Bed {
    supervisor: Supervisor<u32>,
    now: Instant,
    /// The last start that was asked for, by the child's id.
    attempts: BTreeMap<String, Attempt>,
    ended: bool,
}

impl Bed {
    fn new(strategy: Strategy, max_restarts: usize, children: Vec<ChildSpec>) -> (Self, String) {
        let now = Instant::now();
        let settings = Settings { strategy, max_restarts, period: PERIOD, children };
        let (supervisor, actions) = Supervisor::start(settings, Token(0), now);
        let mut bed = Self { supervisor, now, attempts: BTreeMap::new(), ended: false };
        let words = bed.words(actions);
        (bed, words)
    }

    /// One whose children all run: the first is process 1, and so on.
    fn running(strategy: Strategy, max_restarts: usize, children: Vec<ChildSpec>) -> Self {
        let ids: Vec<String> = children.iter().map(|child| child.id.clone()).collect();
        let (mut bed, mut words) = Self::new(strategy, max_restarts, children);
        for (pid, id) in (1..).zip(&ids) {
            assert_eq!(words, format!("start {id}"));
            words = bed.started(id, pid);
        }
        assert_eq!(words, "0: Up");
        bed
    }

    fn words(&mut self, actions: Vec<Action<u32>>) -> String {
        let word = |action| match action {
            Action::Start(attempt, spec) => {
                assert_eq!((spec.function.as_str(), spec.args.as_slice()), ("f", &b"args"[..]));
                self.attempts.insert(spec.id.clone(), attempt);
                format!("start {}", spec.id)
            }
            Action::Stop(pid) => format!("stop {pid}"),
            Action::Kill(pid) => format!("kill {pid}"),
            Action::Reply(Token(token), reply) => format!("{token}: {reply:?}"),
            Action::End => {
                assert!(!mem::replace(&mut self.ended, true), "ends twice");
                "end".into()
            }
        };
        actions.into_iter().map(word).collect::<Vec<_>>().join(", ")
    }

    fn started(&mut self, id: &str, pid: u32) -> String {
        let actions = self.supervisor.started(self.attempts[id], pid, self.now);
        self.words(actions)
    }

    fn not_started(&mut self, id: &str, why: NotStarted) -> String {
        let actions = self.supervisor.not_started(self.attempts[id], why, self.now);
        self.words(actions)
    }

    fn crashed(&mut self, pid: u32) -> String {
        self.ended_on(pid, "", true)
    }

    fn ended(&mut self, pid: u32) -> String {
        self.ended_on(pid, "", false)
    }

    fn ended_on(&mut self, pid: u32, at: &str, crash: bool) -> String {
        let node = (!at.is_empty()).then(|| node(at));
        let (is_childs, actions) = self.supervisor.ended(&pid, node.as_ref(), crash, self.now);
        assert!(is_childs, "{pid} is not a child's");
        self.words(actions)
    }

    fn up(&mut self, name: &str) -> String {
        let actions = self.supervisor.node_up(&node(name), self.now);
        self.words(actions)
    }

    fn pass(&mut self, time: Duration) -> String {
        self.now += time;
        let actions = self.supervisor.tick(self.now);
        self.words(actions)
    }

    fn stop(&mut self, token: u64) -> String {
        let actions = self.supervisor.stop(Token(token), self.now);
        self.words(actions)
    }

    fn start_child(&mut self, token: u64) -> String {
        let actions = self.supervisor.start_child(None, Token(token), self.now);
        self.words(actions)
    }

    /// Who is answered, and how, when the supervisor has ended.
    fn answers(self) -> String {
        let word = |(Token(token), reply)| format!("{token}: {reply:?}");
        self.supervisor.gone().into_iter().map(word).collect::<Vec<_>>().join(", ")
    }

    fn list(&self) -> String {
        let word = |(id, pid): (&str, Option<&u32>)| format!("{id}={}", pid.map_or("-".into(), u32::to_string));
        self.supervisor.children().map(word).collect::<Vec<_>>().join(" ")
    }
}

const STRATEGIES: [Strategy; 3] = [Strategy::OneForOne, Strategy::OneForAll, Strategy::RestForOne];

#[test]
fn children_are_started_in_order_each_after_the_one_before_it() {
    for strategy in STRATEGIES {
        let mut bed = Bed::running(strategy, 1, permanent(&["a", "b", "c"]));
        assert_eq!(bed.list(), "a=1 b=2 c=3");
        assert_eq!(bed.pass(PERIOD), "");
    }
    let (bed, words) = Bed::new(Strategy::OneForAll, 1, vec![]);
    assert_eq!((words.as_str(), bed.list().as_str()), ("0: Up", ""));
}

#[test]
fn a_child_that_cannot_be_started_stops_the_others_in_reverse_order() {
    for why in [NotStarted::Refused, NotStarted::NotConnected, NotStarted::Lost, NotStarted::TooLarge] {
        let (mut bed, _) = Bed::new(Strategy::OneForOne, 9, permanent(&["a", "b", "c", "d"]));
        bed.started("a", 1);
        bed.started("b", 2);
        assert_eq!(bed.not_started("c", why), "stop 2");
        assert_eq!(bed.ended(2), "stop 1");
        assert_eq!(bed.ended(1), "end");
        assert_eq!(bed.answers(), format!("0: NotStarted({why:?})"));
    }
    let (mut bed, _) = Bed::new(Strategy::OneForOne, 9, permanent(&["a"]));
    assert_eq!(bed.not_started("a", NotStarted::Refused), "end");
    assert_eq!(bed.answers(), "0: NotStarted(Refused)");
}

#[test]
fn what_ends_while_others_are_started_is_looked_at_when_all_are() {
    let (mut bed, _) = Bed::new(Strategy::OneForOne, 1, permanent(&["a", "b"]));
    assert_eq!(bed.started("a", 1), "start b");
    assert_eq!(bed.crashed(1), "");
    assert_eq!(bed.list(), "a=- b=-");
    assert_eq!(bed.started("b", 2), "0: Up, start a");
    assert_eq!(bed.started("a", 3), "");
    assert_eq!(bed.crashed(3), "stop 2", "the first end counts");

    let (mut bed, _) = Bed::new(Strategy::OneForAll, 1, permanent(&["a", "b", "c"]));
    bed.started("a", 1);
    bed.started("b", 2);
    bed.crashed(2);
    bed.crashed(1);
    assert_eq!(bed.started("c", 3), "0: Up, stop 3");
    assert_eq!(bed.ended(3), "start a", "both ends need one restart");

    let (mut bed, _) = Bed::new(Strategy::OneForOne, 1, permanent(&["a", "b"]));
    bed.started("a", 1);
    bed.crashed(1);
    assert_eq!(bed.not_started("b", NotStarted::Refused), "end");
}

#[test]
fn restart_types_say_which_ends_need_a_restart() {
    for (restart, after_crash, after_end) in
        [(Restart::Permanent, "start a", "start a"), (Restart::Transient, "start a", ""), (Restart::Temporary, "", "")]
    {
        for (crash, expected) in [(true, after_crash), (false, after_end)] {
            for strategy in STRATEGIES {
                let mut bed = Bed::running(strategy, 1, vec![child("a", restart, "")]);
                assert_eq!(bed.ended_on(1, "", crash), expected, "{restart:?} {strategy:?}");
                assert_eq!(bed.list(), "a=-");
            }
        }
    }
}

#[test]
fn one_for_one_leaves_the_others_alone() {
    let mut bed = Bed::running(Strategy::OneForOne, 2, permanent(&["a", "b", "c"]));
    assert_eq!(bed.crashed(2), "start b");
    assert_eq!(bed.crashed(1), "start a", "nobody waits for another's start");
    assert_eq!(bed.list(), "a=- b=- c=3");
    assert_eq!(bed.started("a", 4), "");
    assert_eq!(bed.started("b", 5), "");
    assert_eq!(bed.list(), "a=4 b=5 c=3");
}

#[test]
fn one_for_all_stops_all_in_reverse_order_and_starts_all_in_order() {
    let mut bed = Bed::running(Strategy::OneForAll, 1, permanent(&["a", "b", "c"]));
    assert_eq!(bed.crashed(2), "stop 3");
    assert_eq!(bed.ended(3), "stop 1");
    assert_eq!(bed.ended(1), "start a");
    assert_eq!(bed.started("a", 4), "start b");
    assert_eq!(bed.started("b", 5), "start c");
    assert_eq!(bed.started("c", 6), "");
    assert_eq!(bed.list(), "a=4 b=5 c=6");
    // It was one restart: the next is one too many.
    assert_eq!(bed.crashed(4), "stop 6");
    assert_eq!((bed.ended(6).as_str(), bed.ended(5).as_str()), ("stop 5", "end"));
}

#[test]
fn rest_for_one_concerns_those_behind() {
    let mut bed = Bed::running(Strategy::RestForOne, 2, permanent(&["a", "b", "c", "d"]));
    assert_eq!(bed.crashed(2), "stop 4");
    // The one before is none of those that are being stopped: it is restarted, and all behind it.
    assert_eq!(bed.ended(4), "stop 3");
    assert_eq!(bed.crashed(1), "");
    assert_eq!(bed.ended(3), "start a");
    assert_eq!(bed.started("a", 5), "start b");
    assert_eq!(bed.started("b", 6), "start c");
    assert_eq!(bed.started("c", 7), "start d");
    assert_eq!(bed.started("d", 8), "");
    let mut bed = Bed::running(Strategy::RestForOne, 1, permanent(&["a", "b", "c"]));
    assert_eq!(bed.crashed(3), "start c");
    assert_eq!(bed.list(), "a=1 b=2 c=-");
}

#[test]
fn those_who_stay_ended_as_erlang_has_it() {
    let children = vec![
        child("a", Restart::Temporary, ""),
        child("b", Restart::Transient, ""),
        child("c", Restart::Permanent, ""),
    ];
    let mut bed = Bed::running(Strategy::OneForAll, 1, children);
    assert_eq!(bed.ended(2), "");
    assert_eq!(bed.crashed(3), "stop 1");
    assert_eq!(bed.ended(1), "start b");
    assert_eq!(bed.started("b", 4), "start c");
    assert_eq!(bed.list(), "a=- b=4 c=-");
}

#[test]
fn ends_of_those_who_are_being_stopped_need_no_restart() {
    let mut bed = Bed::running(Strategy::OneForAll, 1, permanent(&["a", "b", "c"]));
    assert_eq!(bed.crashed(1), "stop 3");
    assert_eq!(bed.crashed(2), "", "its turn had not come");
    assert_eq!(bed.crashed(3), "start a");
    bed.started("a", 4);
    bed.started("b", 5);
    assert_eq!(bed.started("c", 6), "");
}

#[test]
fn so_many_restarts_within_any_period_and_no_more() {
    let mut bed = Bed::running(Strategy::OneForOne, 2, permanent(&["a", "b"]));
    assert_eq!(bed.crashed(1), "start a");
    bed.started("a", 3);
    bed.pass(Duration::from_secs(6));
    assert_eq!(bed.crashed(3), "start a");
    bed.started("a", 4);
    bed.pass(Duration::from_secs(5));
    assert_eq!(bed.crashed(4), "start a", "the first was more than 10 s ago");
    bed.started("a", 5);
    assert_eq!(bed.crashed(5), "stop 2");
    assert_eq!(bed.ended(2), "end");
}

#[test]
fn no_restart_is_allowed_where_the_limit_is_zero() {
    let mut bed = Bed::running(Strategy::OneForOne, 0, permanent(&["a"]));
    assert_eq!(bed.crashed(1), "end");
}

#[test]
fn a_stop_goes_backwards_and_waits_five_seconds_for_each() {
    let mut bed = Bed::running(Strategy::OneForOne, 1, permanent(&["a", "b", "c"]));
    assert_eq!(bed.stop(7), "stop 3");
    assert_eq!(bed.supervisor.deadline(), Some(bed.now + PATIENCE));
    assert_eq!(bed.pass(PATIENCE - Duration::from_millis(1)), "");
    assert_eq!(bed.pass(Duration::from_millis(1)), "kill 3, stop 2");
    assert_eq!(bed.crashed(1), "", "ends by itself, and is not restarted");
    assert_eq!(bed.stop(8), "");
    assert_eq!(bed.ended(2), "end");
    assert_eq!(bed.supervisor.deadline(), None);
    let now = bed.now;
    assert!(!bed.supervisor.ended(&3, None, true, now).0, "the killed one is forgotten");
    assert_eq!(bed.answers(), "7: Stopped, 8: Stopped");
}

#[test]
fn killed_children_of_a_restart_are_waited_for_no_more() {
    let mut bed = Bed::running(Strategy::OneForAll, 1, permanent(&["a", "b"]));
    assert_eq!(bed.crashed(1), "stop 2");
    assert_eq!(bed.pass(PATIENCE), "kill 2, start a");
}

#[test]
fn a_lost_child_waits_for_its_node_and_counts_once() {
    let children = vec![child("a", Restart::Permanent, "x@h:1"), child("b", Restart::Permanent, "y@h:1")];
    let mut bed = Bed::running(Strategy::OneForOne, 2, children);
    assert_eq!(bed.ended_on(1, "x@h:1", true), "start a");
    assert_eq!(bed.not_started("a", NotStarted::NotConnected), "");
    assert_eq!(bed.up("y@h:1"), "");
    assert_eq!(bed.ended_on(2, "y@h:1", true), "start b", "it is held up by nobody");
    bed.started("b", 3);
    assert_eq!(bed.up("x@h:1"), "start a");
    assert_eq!(bed.up("x@h:1"), "");
    assert_eq!(bed.started("a", 4), "");
    assert_eq!(bed.crashed(4), "stop 3", "two restarts were counted, not three");
}

#[test]
fn a_node_that_is_gone_holds_up_those_behind_its_children() {
    let mixed = || {
        let mut children = permanent(&["a", "b", "c"]);
        children[1].node = Some(node("x@h:1"));
        children
    };
    let mut bed = Bed::running(Strategy::RestForOne, 2, mixed());
    assert_eq!(bed.ended_on(2, "x@h:1", true), "stop 3");
    assert_eq!(bed.ended(3), "start b");
    assert_eq!(bed.not_started("b", NotStarted::NotConnected), "");
    // The one before it is not held up.
    assert_eq!(bed.crashed(1), "start a");
    assert_eq!(bed.started("a", 4), "start b");
    assert_eq!(bed.not_started("b", NotStarted::NotConnected), "");
    assert_eq!(bed.up("x@h:1"), "start b");
    assert_eq!(bed.started("b", 5), "start c");

    let mut bed = Bed::running(Strategy::OneForAll, 2, mixed());
    assert_eq!(bed.crashed(3), "stop 2");
    assert_eq!(bed.ended_on(2, "x@h:1", true), "stop 1");
    assert_eq!(bed.ended(1), "start a");
    assert_eq!(bed.started("a", 4), "start b");
    assert_eq!(bed.not_started("b", NotStarted::NotConnected), "");
    assert_eq!(bed.stop(1), "stop 4", "a supervisor that waits can be stopped");
    assert_eq!(bed.ended(4), "end");
    assert_eq!(bed.up("x@h:1"), "");
    assert_eq!(bed.answers(), "1: Stopped");
}

/// SUP-12: in whichever order the link, the failure and the answer come.
#[test]
fn an_end_that_is_heard_while_the_start_is_pending_counts_once() {
    let remote = || vec![child("a", Restart::Permanent, "x@h:1")];
    for link_first in [true, false] {
        let mut bed = Bed::running(Strategy::OneForOne, 2, remote());
        assert_eq!(bed.crashed(1), "start a");
        if link_first {
            assert_eq!(bed.ended_on(2, "x@h:1", true), "");
        }
        assert_eq!(bed.not_started("a", NotStarted::Lost), "start a");
        assert_eq!(bed.not_started("a", NotStarted::NotConnected), "");
        if !link_first {
            assert_eq!(bed.ended_on(2, "x@h:1", true), "");
        }
        assert_eq!(bed.up("x@h:1"), "start a");
        assert_eq!(bed.started("a", 2), "", "the same number on a new session is another process");
        assert_eq!(bed.list(), "a=2");
        assert_eq!(bed.crashed(2), "end", "two restarts were counted before");
    }
    // The process has ended before the answer names it.
    let mut bed = Bed::running(Strategy::OneForOne, 2, remote());
    bed.crashed(1);
    assert_eq!(bed.ended_on(2, "x@h:1", true), "");
    assert_eq!(bed.ended_on(9, "x@h:1", true), "", "it may be a child's as well");
    assert_eq!(bed.started("a", 2), "start a");
    assert_eq!(bed.started("a", 3), "");
    assert_eq!(bed.crashed(3), "end");
    // Whoever is on another node is no child.
    let (mut bed, _) = Bed::new(Strategy::OneForOne, 2, remote());
    let now = bed.now;
    assert!(!bed.supervisor.ended(&2, Some(&node("y@h:1")), true, now).0);
    assert!(!bed.supervisor.ended(&2, None, true, now).0);
    assert_eq!(bed.started("a", 2), "0: Up");
}

#[test]
fn a_refusal_at_a_restart_is_another_crash() {
    let mut bed = Bed::running(Strategy::OneForOne, 2, permanent(&["a"]));
    assert_eq!(bed.crashed(1), "start a");
    assert_eq!(bed.not_started("a", NotStarted::Refused), "start a");
    assert_eq!(bed.not_started("a", NotStarted::Refused), "end");
    let mut bed = Bed::running(Strategy::OneForAll, 2, permanent(&["a", "b"]));
    bed.crashed(2);
    assert_eq!(bed.ended(1), "start a");
    assert_eq!(bed.started("a", 3), "start b");
    assert_eq!(bed.not_started("b", NotStarted::Refused), "stop 3");
    assert_eq!(bed.ended(3), "start a");
}

#[test]
fn a_child_without_a_name_yet_is_stopped_as_soon_as_it_has_one() {
    let mut bed = Bed::running(Strategy::OneForOne, 2, permanent(&["a", "b"]));
    bed.crashed(2);
    assert_eq!(bed.stop(5), "");
    bed.pass(Duration::from_secs(3));
    assert_eq!(bed.started("b", 3), "stop 3");
    assert_eq!(bed.pass(Duration::from_secs(3)), "", "5 s count from its EXIT");
    assert_eq!(bed.ended(3), "stop 1");
    assert_eq!(bed.ended(1), "end");
}

#[test]
fn a_start_that_is_never_answered_holds_up_no_stop() {
    let mut bed = Bed::running(Strategy::OneForAll, 2, permanent(&["a", "b"]));
    bed.crashed(2);
    assert_eq!(bed.ended(1), "start a");
    assert_eq!(bed.started("a", 3), "start b");
    assert_eq!(bed.crashed(3), "");
    let first = bed.attempts["b"];
    assert_eq!(bed.pass(PATIENCE), "start a");
    assert_eq!(bed.started("a", 4), "start b");
    // The answer comes after all.
    let (now, late) = (bed.now, bed.supervisor.started(first, 5, bed.now));
    assert_eq!(bed.words(late), "kill 5");
    assert_eq!(bed.supervisor.started(first, 5, now), vec![], "an answer counts once");
    assert_eq!(bed.started("b", 6), "");
    assert_eq!(bed.list(), "a=4 b=6");
}

#[test]
fn simple_one_for_one_starts_one_child_at_each_request() {
    let (mut bed, words) = Bed::new(Strategy::SimpleOneForOne, 1, vec![child("w", Restart::Transient, "")]);
    assert_eq!((words.as_str(), bed.list().as_str()), ("0: Up", ""));
    assert_eq!(bed.start_child(1), "start w");
    let first = bed.attempts["w"];
    assert_eq!(bed.start_child(2), "start w", "nobody waits for another's start");
    assert_eq!(bed.started("w", 12), "2: Child(12)");
    let (now, actions) = (bed.now, bed.supervisor.started(first, 11, bed.now));
    assert_eq!(bed.words(actions), "1: Child(11)");
    assert_eq!(bed.list(), "w=11 w=12");
    assert_eq!(bed.start_child(3), "start w");
    assert_eq!(bed.not_started("w", NotStarted::Refused), "3: NotStarted(Refused)");
    assert_eq!(bed.list(), "w=11 w=12");
    assert_eq!(bed.crashed(11), "start w");
    assert_eq!(bed.started("w", 13), "");
    assert_eq!(bed.list(), "w=13 w=12");
    assert_eq!(bed.ended(13), "");
    assert_eq!(bed.list(), "w=12");
    assert_eq!(bed.start_child(4), "start w");
    assert_eq!(bed.started("w", 14), "4: Child(14)");
    assert_eq!(bed.stop(5), "stop 14");
    assert_eq!(bed.start_child(6), "6: Gone");
    assert_eq!(bed.ended(14), "stop 12");
    assert_eq!(bed.ended(12), "end");
    assert!(!bed.supervisor.ended(&12, None, true, now).0);
}

#[test]
fn a_child_asked_for_has_arguments_of_its_own_at_each_restart() {
    let settings = Settings {
        strategy: Strategy::SimpleOneForOne,
        max_restarts: 1,
        period: PERIOD,
        children: vec![child("w", Restart::Permanent, "")],
    };
    let now = Instant::now();
    let (mut supervisor, _) = Supervisor::start(settings, Token(0), now);
    let args_of = |actions: &[Action<u32>]| match actions {
        [Action::Start(attempt, spec)] => (*attempt, spec.args.clone()),
        other => panic!("{other:?}"),
    };
    let (attempt, args) = args_of(&supervisor.start_child(Some(b"own".to_vec()), Token(1), now));
    assert_eq!(args, b"own");
    supervisor.started(attempt, 1, now);
    assert_eq!(args_of(&supervisor.ended(&1, None, false, now).1).1, b"own");
}

#[test]
fn whoever_waits_is_answered_when_the_supervisor_is_ended_from_outside() {
    let (mut bed, _) = Bed::new(Strategy::OneForOne, 1, permanent(&["a", "b"]));
    bed.started("a", 1);
    assert_eq!(bed.answers(), "0: Gone");
    let (mut bed, _) = Bed::new(Strategy::SimpleOneForOne, 1, permanent(&["w"]));
    bed.start_child(1);
    bed.started("w", 1);
    bed.start_child(2);
    bed.stop(3);
    assert_eq!(bed.answers(), "2: Gone, 3: Stopped");
}
