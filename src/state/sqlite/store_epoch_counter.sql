UPDATE epoch_counter SET last = ?1
