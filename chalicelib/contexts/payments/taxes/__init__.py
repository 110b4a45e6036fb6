"""Land and tax obligations (nghĩa vụ tài chính): the tax register is asked, its debts are paid."""
