"""End-to-end encryption of one Matrix device: Olm between devices, Megolm in rooms."""
