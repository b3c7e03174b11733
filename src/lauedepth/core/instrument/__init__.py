"""The instrument: detector, aperture, rays through it, its shadow, photon energies."""
