//! Many names in little memory: one text and where each ends in it.

#[derive(Debug, Default)]
pub(crate) struct Names {
    text: String,
    ends: Vec<usize>,
}

impl Names {
    pub(crate) fn push(&mut self, name: &str) {
        self.text.push_str(name);
        self.ends.push(self.text.len());
    }

    pub(crate) fn get(&self, place: usize) -> &str {
        let start = place.checked_sub(1).map_or(0, |before| self.ends[before]);
        &self.text[start..self.ends[place]]
    }

    pub(crate) fn extend(&mut self, other: &Self) {
        let start = self.text.len();
        self.text.push_str(&other.text);
        self.ends.extend(other.ends.iter().map(|end| start + end));
    }

    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.ends.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_stay_apart() {
        let (mut all, mut more) = (Names::default(), Names::default());
        ["a", "", "bc"].iter().for_each(|name| all.push(name));
        ["", "d"].iter().for_each(|name| more.push(name));
        all.extend(&more);
        let names: Vec<&str> = (0..all.len()).map(|place| all.get(place)).collect();
        assert_eq!(names, ["a", "", "bc", "", "d"]);
    }
}
