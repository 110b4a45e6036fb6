"""Agencies: who takes part in the axis, under which code, and through which systems.

- *agency* (cơ quan, tổ chức): an organ with an electronic identifier (mã định danh điện tử).
- *code*: the identifier, old form `000.00.00.G22` or new form `G22`; see `chalicelib.agency_code`.
- *system* (hệ thống thông tin): the software through which an agency sends and receives.
- *successor*: the agency that takes the place of one that was merged; chains are followed.
- *reorganisation* (sắp xếp tổ chức bộ máy): many agencies changed by one decision.
- *profile*: what a system understands, CloudEvents JSON or edXML (QCVN 102:2016/BTTTT).

Law: QCVN 102:2016/BTTTT; QĐ 20/2020/QĐ-TTg (22/7/2020) on electronic identifiers, amended by
QĐ 09/2025/QĐ-TTg (14/4/2025). Several ministries merged in 2025 and 34 provinces replaced 63; so
names and codes have a validity, and where it is not known it stays open to correction.
"""
