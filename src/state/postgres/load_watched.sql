SELECT text FROM freshet_state.watched WHERE pipeline = $1
