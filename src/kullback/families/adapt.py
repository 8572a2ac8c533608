def is_foreign(x): return False
def adapted(x): return None
