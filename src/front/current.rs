//! The gateway a worker serves with now. A new configuration is another one: requests that come later are answered by it,
//! those under way end with the one they began with. A worker's own, so no request ever waits for a lock.

use std::cell::RefCell;
use std::rc::Rc;

use super::gateway::Gateway;

/// A worker's gateway, which may be replaced.
pub struct Current(RefCell<Rc<Gateway>>);

impl Current {
    /// Begins with this one.
    pub fn new(gateway: Gateway) -> Rc<Current> {
        Rc::new(Current(RefCell::new(Rc::new(gateway))))
    }

    /// The one that serves now.
    pub fn get(&self) -> Rc<Gateway> {
        self.0.borrow().clone()
    }

    /// From now on requests are answered by this one.
    pub fn replace(&self, gateway: Gateway) {
        self.0.replace(Rc::new(gateway));
    }
}
