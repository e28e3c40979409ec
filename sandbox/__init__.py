"""Stand-ins for WeChat, phones and departments, reached by HTTP; production never loads them.

Nothing here shares code with the product's own WeChat client and callback: signatures, AES
and XML are written a second time, so that a test which passes proves interoperability.
"""
