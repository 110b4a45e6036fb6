"""edXML: the paper form in which agencies' systems exchange documents and statuses.

QCVN 102:2016/BTTTT (Thông tư 10/2016/TT-BTTTT) fixes names and structure, QĐ 28/2018/QĐ-TTg adds
status messages and the four operations. `parse` reads a message as a stream, `produce` writes one,
`identity` reads the name of a document (mã định danh văn bản), `model` says what a message holds.
Element names, the standard's own misspelling `Bussiness` included, appear only in this package.
"""
