"""Audit: reading all that happened, who read about whom, and the erasure of a person.

- *replay* (xem lại): the events themselves, by position, stream, actor, agency, type, time or case.
- *case* (vụ việc): the commits of one correlation, across streams; each names what it follows from.
- *access* (truy cập): somebody read what is about a person; that is an event like any other.
- *erasure* (xóa dữ liệu cá nhân): asked for by one, approved by another; then the person's key is
  destroyed. A *legal hold* (tạm giữ để giải quyết) stands in its way until it is lifted.

Rule: Law 91/2025/QH15 on Personal Data Protection.
"""
