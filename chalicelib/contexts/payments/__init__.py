"""Payments: what somebody owes the state, paid online, receipted, refunded and reconciled.

A *payment* (thanh toán) is asked of a *payer* (người nộp) for *lines* (khoản nộp): a *fee* (phí), a
*charge* (lệ phí), a *fine* (tiền phạt), a *tax* (thuế, nghĩa vụ tài chính đất đai). The payer pays
through a *provider* (trung gian thanh toán), transaction by *transaction* (giao dịch); a
provider's *notice* (IPN) or the answer to a query says what became of one. What was paid is
confirmed by *receipts* (biên lai), may be *refunded* (hoàn phí), goes to the payee's account or to
the *treasury* (kho bạc), and is *reconciled* (đối soát) line by line with the provider's
*settlement* file.

Law: Decree 254/2026/NĐ-CP (electronic receipts from 2027 on); Decree 45/2020/NĐ-CP (procedures
online); the portal's payment platform (PaymentPlatform 1.0.6), DOMAIN section 5.
"""
