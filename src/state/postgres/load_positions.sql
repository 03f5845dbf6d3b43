SELECT destination, position FROM freshet_state.position WHERE pipeline = $1 ORDER BY destination
