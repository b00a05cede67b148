"""Studies: one file each, from a configuration to a `Result` of tables, pictures and claims.

Claims and results are in `shoal.studies.result`; importing this package imports no system and no torch.
"""
