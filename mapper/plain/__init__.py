"""Search on plain engines: any machine of storage levels, every tile size, order, spreading and residence."""
