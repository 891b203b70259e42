//! What wakes one part of a conversation and tells that it did, so that the others need not be looked at. Knows nothing of
//! what it is rung for.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Wake, Waker};

use futures_util::task::AtomicWaker;

/// A bell that whoever waits has rung for.
#[derive(Debug)]
pub(super) struct Bell {
    rope: Arc<Rope>,
    waker: Waker,
}

#[derive(Debug)]
struct Rope {
    is_rung: AtomicBool,
    /// Who is woken; nobody, while somebody looks anyway.
    listener: AtomicWaker,
}

impl Bell {
    /// A bell that was rung already, since at first everything is to be looked at.
    pub(super) fn rung() -> Self {
        let rope = Arc::new(Rope {
            is_rung: AtomicBool::new(true),
            listener: AtomicWaker::new(),
        });
        let waker = Waker::from(Arc::clone(&rope));
        Self { rope, waker }
    }

    /// What rings it.
    pub(super) fn waker(&self) -> &Waker {
        &self.waker
    }

    /// Rings it for whoever looks at it next.
    pub(super) fn ring(&self) {
        self.rope.is_rung.store(true, Ordering::Release);
    }

    pub(super) fn is_rung(&self) -> bool {
        self.rope.is_rung.load(Ordering::Acquire)
    }

    /// Whether it was rung since that was asked last.
    pub(super) fn take(&self) -> bool {
        self.rope.is_rung.swap(false, Ordering::AcqRel)
    }

    /// From now on nobody is woken.
    pub(super) fn hush(&self) {
        drop(self.rope.listener.take());
    }

    /// From now on `cx` is woken. Tells whether it was rung before.
    pub(super) fn listen(&self, cx: &Context<'_>) -> bool {
        self.rope.listener.register(cx.waker());
        self.is_rung()
    }
}

impl Wake for Rope {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.is_rung.store(true, Ordering::Release);
        self.listener.wake();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::AtomicUsize;

    #[derive(Default)]
    struct Count(AtomicUsize);

    impl Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    #[test]
    fn a_bell_wakes_whoever_listens_and_tells_once_that_it_was_rung() {
        let count = Arc::new(Count::default());
        let waker = Waker::from(Arc::clone(&count));
        let cx = Context::from_waker(&waker);
        let woken = || count.0.load(Ordering::Relaxed);
        let bell = Bell::rung();
        assert!(bell.take() && !bell.take());
        assert!(!bell.listen(&cx));
        bell.waker().wake_by_ref();
        assert_eq!(woken(), 1);
        assert!(bell.take() && !bell.take());
    }

    #[test]
    fn a_bell_that_is_hushed_wakes_nobody_and_is_rung_all_the_same() {
        let count = Arc::new(Count::default());
        let waker = Waker::from(Arc::clone(&count));
        let cx = Context::from_waker(&waker);
        let bell = Bell::rung();
        bell.take();
        bell.listen(&cx);
        bell.hush();
        bell.waker().wake_by_ref();
        assert_eq!(count.0.load(Ordering::Relaxed), 0);
        assert!(bell.listen(&cx) && bell.take());
    }
}
