"""Operations: how the axis itself is doing, and what an operator may do about it.

- *lane* (luồng): the order in which one agency gets its messages; each has an urgent and a normal.
- *cursor*: the number of the last message of a lane that was dealt with.
- *pause*: nothing is posted to an agency until an operator resumes it.
- *parked*: set aside because the receiver refused it for good; its case queues behind it. Also a
  commit whose reaction failed; its stream queues behind it.
- *rewind*: post a lane again from an earlier number on, under the same ids.

No law speaks of these; they decide nothing about a document, only when it is posted.
"""
