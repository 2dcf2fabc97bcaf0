"""Jobs: records in the state folder, carried out by workers that outlive whoever asked."""
