//! What a worker serves with now. A new configuration is another one: requests that come later are answered by it,
//! those under way end with the one they began with. A worker's own, so no request ever waits for a lock.

use std::cell::RefCell;
use std::rc::Rc;

use super::listen::Room;

/// A worker's gateway and bounds, which may be replaced.
pub struct Current(RefCell<Rc<Room>>);

impl Current {
    /// Begins with this one.
    pub fn new(room: Room) -> Rc<Current> {
        Rc::new(Current(RefCell::new(Rc::new(room))))
    }

    /// The one that serves now.
    pub fn get(&self) -> Rc<Room> {
        self.0.borrow().clone()
    }

    /// From now on requests are answered by this one.
    pub fn replace(&self, room: Room) {
        self.0.replace(Rc::new(room));
    }
}
